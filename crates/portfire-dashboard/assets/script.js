// The dashboard works without this file. With it, times are in the reader's own zone, things can be copied,
// selections are counted, and pages stay up to date.
//
// Live, in steps:
//  1. The page says where hints come from (data-events), and who keeps the one stream of them for all tabs of this
//     browser (data-worker). While it can be seen, it has joined them.
//  2. A hint says only "something changed". The page fetches its own content and morphs it in.
//  3. Rows never move under a hand: if they would while something is hovered, focused or selected, the new
//     content waits behind a pill.
//  4. Without a stream it polls, the next time only after the last answer, and ever more slowly; and asks for the
//     stream each time.

const page = document.body.dataset;
const FRAGMENT = "text/vnd.portfire.fragment+html";

// Times, in the reader's zone and language.
const lang = document.documentElement.lang;
const full = new Intl.DateTimeFormat(lang, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
  timeZoneName: "short",
});
const forms = {
  minute: new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hour12: false }),
  hour: new Intl.DateTimeFormat(lang, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false }),
};
function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = full.format(at);
    const form = forms[time.dataset.form];
    if (form) time.textContent = form.format(at);
    if (time.matches(".exact, .log time")) time.textContent = full.format(at);
  }
}

// Copying: the clipboard is not there on plain HTTP, so there is an older way too.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  focused?.focus();
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await copy(button.dataset.copy);
  const word = button.textContent;
  button.textContent = page.copied;
  setTimeout(() => { button.textContent = word; }, 1500);
});

// Selecting.
function count() {
  const boxes = document.querySelectorAll('input[name="job"]');
  const chosen = [...boxes].filter((box) => box.checked).length;
  const bar = document.querySelector("[data-selected]");
  if (bar) {
    bar.dataset.word ??= bar.textContent;
    bar.textContent = chosen ? `${bar.dataset.word}: ${chosen}` : bar.dataset.word;
  }
  for (const button of document.querySelectorAll(".bulk button")) button.disabled = chosen === 0;
  const all = document.querySelector("[data-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
  return chosen;
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) {
    for (const box of document.querySelectorAll('input[name="job"]')) box.checked = event.target.checked;
  }
  count();
});

// Morphing: what has the same id is the same thing; what the reader did to it stays.
function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) return from.replaceWith(to);
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && name !== "open" && name !== "hidden") from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes]) {
    if (name !== "open" && name !== "hidden" && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  if (from.matches("input, select, textarea")) return;
  const byId = new Map([...from.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = from.firstChild;
  for (const child of [...to.childNodes]) {
    const same = child.id ? byId.get(child.id) : place && !place.id && place.nodeName === child.nodeName ? place : null;
    if (same) {
      if (same === place) place = place.nextSibling;
      else from.insertBefore(same, place);
      morph(same, child);
    } else {
      from.insertBefore(child, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

const main = document.getElementById("main");
const rows = (root) => [...root.querySelectorAll("tr[id]")].map((row) => row.id).join();
let held = null;

function isBusy() {
  const table = main.querySelector("table");
  const selected = String(getSelection()).length > 0;
  return selected || main.contains(document.activeElement) && document.activeElement !== main || table?.matches(":hover")
    || main.querySelector('input[name="job"]:checked') !== null;
}
function put(fresh) {
  const chosen = new Set([...main.querySelectorAll('input[name="job"]:checked')].map((box) => box.value));
  morph(main, fresh);
  for (const box of main.querySelectorAll('input[name="job"]')) box.checked = chosen.has(box.value);
  localize(main);
  prepare();
  held = null;
  document.querySelector(".pill")?.remove();
}
function offer(fresh) {
  held = fresh;
  if (document.querySelector(".pill")) return;
  const pill = document.createElement("button");
  pill.className = "pill";
  pill.type = "button";
  pill.textContent = page.updates;
  pill.addEventListener("click", () => put(held));
  document.body.append(pill);
}
async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: FRAGMENT }, signal: AbortSignal.timeout(30000) });
  if (!answer.ok && answer.status !== 404) throw new Error(answer.status);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
  if (!fresh || !joined) return;
  if (rows(fresh) !== rows(main) && isBusy()) offer(fresh);
  else put(fresh);
}

// The stream.
const light = document.getElementById("live");
const shown = location.pathname.match(/\/jobs\/([0-9a-f-]{36})$/)?.[1] ?? null;
let keeper = null;
let joined = false;
let streams = false;
let missed = false;
let timer = 0;
let busy = false;
let again = false;
let failures = 0;
let wanted = remembered() !== "off";

// A browser that keeps nothing may refuse even to be asked.
function remembered(word, name = "portfire-live") {
  try {
    if (word) localStorage.setItem(name, word);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function show() {
  if (!light) return;
  const state = !wanted ? "off" : failures ? "lost" : streams ? "live" : "polling";
  light.dataset.state = state;
  light.setAttribute("aria-pressed", String(wanted));
  light.title = { live: page.live, polling: page.polling, lost: page.lost, off: page.off }[state];
}
async function look() {
  if (busy) { again = true; return; }
  busy = true;
  do {
    again = false;
    try {
      await refresh();
      failures = 0;
    } catch {
      failures += 1;
    }
  } while (again && joined);
  busy = false;
  show();
}
function poll() {
  clearTimeout(timer);
  if (!joined || streams && !failures) return;
  timer = setTimeout(async () => {
    await look();
    if (!joined) return;
    if (!streams) keeper?.postMessage({ events: page.events, job: shown });
    poll();
  }, Math.min(60000, 5000 * 2 ** failures));
}
function hear({ data }) {
  if (!joined) return;
  if (data.live !== undefined) {
    const returns = data.live && missed;
    streams = data.live;
    missed = !streams;
    show();
    if (returns) look();
    poll();
  } else if (data.all || data.changed === shown) {
    look().then(poll);
  }
}
function join() {
  if (joined || !wanted || document.hidden) return;
  joined = true;
  try {
    keeper ??= new SharedWorker(page.worker).port;
    keeper.onmessage = hear;
    keeper.postMessage({ events: page.events, job: shown });
  } catch {
    // A browser without such workers polls.
    show();
  }
  poll();
}
function leave() {
  if (joined) keeper?.postMessage({ leave: true });
  joined = false;
  streams = false;
  missed = false;
  clearTimeout(timer);
}
if (page.events && light) {
  light.hidden = false;
  light.addEventListener("click", () => {
    wanted = !wanted;
    remembered(wanted ? "on" : "off");
    failures = 0;
    if (wanted) { join(); look(); } else { leave(); show(); }
  });
  let leaving = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(leave, 15000);
    else if (wanted && !joined) { join(); look(); }
  });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => { if (event.persisted && wanted && !joined) { join(); look(); } });
  if (wanted) join();
  else show();
}

function prepare() {
  for (const button of main.querySelectorAll(".copy[hidden]")) button.hidden = false;
  ownZone();
  count();
}
// Keys, in steps:
//  1. Each is one letter, so they can be turned off, and are silent where something is typed or composed.
//  2. They do only what can be done by a click: they follow links, move the focus, tick a box.
//  3. Nothing is changed by them: there is no key that runs or deletes.
const sheet = document.getElementById("keys");
const opener = document.getElementById("keys-open");
const switchOfKeys = document.getElementById("keys-on");
let goes = false;
function isTyping(event) {
  const { target } = event;
  const takesText = target.isContentEditable || target.matches?.("select, textarea, input:not([type=checkbox])");
  return event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey || takesText;
}
function step(by) {
  const links = [...main.querySelectorAll("tbody tr")].map((row) => row.querySelector("a")).filter(Boolean);
  const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  links[here < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(links.length - 1, here + by))]?.focus();
}
const acts = {
  "?": () => sheet.showModal(),
  "/": () => (document.getElementById("q") ?? document.getElementById("find"))?.focus(),
  j: () => step(1),
  k: () => step(-1),
  x: () => document.activeElement.closest("tr")?.querySelector('input[name="job"]')?.click(),
  n: () => main.querySelector("a[rel=next]")?.click(),
  p: () => main.querySelector("a[rel=prev]")?.click(),
  ".": () => light?.click(),
};
function press(event) {
  if (isTyping(event) || sheet.open || !switchOfKeys.checked) return;
  const place = goes && document.querySelector(`nav.places a[data-key="${CSS.escape(event.key)}"]`);
  const act = place ? () => place.click() : acts[event.key];
  goes = !goes && event.key === "g";
  if (!act) return;
  event.preventDefault();
  act();
}
if (sheet && opener) {
  opener.hidden = false;
  switchOfKeys.checked = remembered(null, "portfire-keys") !== "off";
  switchOfKeys.addEventListener("change", () => remembered(switchOfKeys.checked ? "on" : "off", "portfire-keys"));
  opener.addEventListener("click", () => sheet.showModal());
  sheet.querySelector("[data-close]").addEventListener("click", () => sheet.close());
  document.addEventListener("keydown", press);
}

// A time to jump to is the reader's own; the server is told it in UTC.
function ownZone() {
  for (const mark of main.querySelectorAll("[data-utc]")) mark.hidden = true;
}
document.addEventListener("submit", (event) => {
  const at = event.target.matches(".jump") && event.target.elements.at;
  const time = at && new Date(at.value);
  if (!time || Number.isNaN(time.getTime())) return;
  at.value = time.toISOString().slice(0, 19);
});

// The next round of what goes on and on.
const round = document.querySelector("form[data-next]");
if (round) round.requestSubmit();

// What was done is told once: a reload does not tell it again.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}
localize(document);
prepare();
