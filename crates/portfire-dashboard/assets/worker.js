// One stream of hints for all tabs of a browser: over HTTP/1.1 a browser keeps six connections to a host, and
// a stream in each tab would soon leave none for pages.
//
//  1. A tab joins, says where the stream is and which job it shows, if it shows one. It leaves when it is hidden
//     for a while, or gone.
//  2. While any tab is here, one stream is open, about everything and about their jobs.
//  3. A stream that cannot be had is given up, and the tabs are told: they poll, and join again each time.

const JOBS_MAX = 50;
const tabs = new Map();
let stream = null;
let about = "";

function tell(message) {
  for (const tab of tabs.keys()) tab.postMessage(message);
}

function close() {
  stream?.close();
  stream = null;
}

function open(address, again) {
  about = address;
  let refused = 0;
  let opened = again;
  const own = new EventSource(address);
  stream = own;
  own.addEventListener("open", () => {
    refused = 0;
    tell({ live: true });
    // What changed while there was no stream was told to nobody.
    if (opened) tell({ all: true });
    opened = true;
  });
  own.addEventListener("change", () => tell({ changed: null }));
  own.addEventListener("job", (event) => tell({ changed: event.data }));
  own.addEventListener("error", () => {
    refused += 1;
    if (own !== stream || refused < 3 && own.readyState !== EventSource.CLOSED) return;
    close();
    tell({ live: false });
  });
}

function follow() {
  if (tabs.size === 0) return close();
  const shown = [...tabs.values()];
  const jobs = [...new Set(shown.map(({ job }) => job).filter(Boolean))].sort().slice(0, JOBS_MAX);
  const query = jobs.map((job) => `job=${job}`).join("&");
  const address = shown[0].events + (query && `?${query}`);
  if (stream && address === about) return;
  const again = stream !== null;
  close();
  open(address, again);
}

addEventListener("connect", ({ ports: [tab] }) => {
  tab.onmessage = ({ data }) => {
    if (data.leave) tabs.delete(tab);
    else tabs.set(tab, data);
    follow();
    if (tabs.has(tab) && stream?.readyState === EventSource.OPEN) tab.postMessage({ live: true });
  };
});
