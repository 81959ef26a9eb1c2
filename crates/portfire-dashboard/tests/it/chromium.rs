//! A real browser, driven by the DevTools protocol over a pipe of its own.
//!
//! 1. The first test that wants it starts it: one process for all tests of the binary. A shell gives it the two
//!    ends of our pipe as the files 3 and 4 (`--remote-debugging-pipe`), which needs no port and no library.
//! 2. A thread reads what it says: answers go to who asked, events to their tab.
//! 3. Every tab has a context of its own: nobody sees another test's cookies.
//! 4. When this process ends, however that comes, the pipe ends, and so does the browser; the shell then removes
//!    its profile.
//!
//! A browser that is not there is a failure, never a skip.
#![expect(clippy::disallowed_methods, reason = "finds the browser that is given in the environment")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

/// Longest that anything may take. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

const FLAGS: [&str; 13] = [
    "--headless",
    "--remote-debugging-pipe",
    // No root has a sandbox; the pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    // Whoever asks for anything but us is not answered. By this name we are a host like any other, without HTTPS.
    "--host-resolver-rules=MAP plain.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-features=HttpsUpgrades",
];

/// A clock for pages, which stands still until it is told how much time passes. What was to happen then has happened
/// when that is answered.
const CLOCK: &str = "(() => {
    const timers = new Map();
    let now = 0, number = 0;
    window.setTimeout = (act, after = 0, ...rest) => {
        timers.set(++number, { at: now + after, act: () => act(...rest) });
        return number;
    };
    window.clearTimeout = (known) => { timers.delete(known); };
    window.pass = async (time) => {
        const end = now + time;
        for (;;) {
            const [next] = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
            if (!next) break;
            timers.delete(next[0]);
            now = next[1].at;
            await next[1].act();
        }
        now = end;
        return true;
    };
})()";

/// Files 3 and 4 are the pipe; the profile goes when the browser has gone.
const SHELL: &str = "exec 3<&0 4>&1 </dev/null >/dev/null; \"$@\"; rm -rf -- \"$0\"";

/// The key that is held down beside another.
const SHIFT: u8 = 8;

/// What every page does before its own scripts: it tells on itself.
const WITNESS: &str = "window.witnessed = [];
    for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => { witnessed.push(name); };
    addEventListener('securitypolicyviolation', (e) => witnessed.push(`policy: ${e.violatedDirective} ${e.blockedURI}`));
    addEventListener('error', (e) => witnessed.push(`error: ${e.message}`));
    addEventListener('unhandledrejection', (e) => witnessed.push(`rejection: ${e.reason}`));";

static CHROMIUM: LazyLock<Chromium> = LazyLock::new(Chromium::start);

struct Chromium {
    input: Mutex<ChildStdin>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    asked: u64,
    waiting: HashMap<u64, oneshot::Sender<Value>>,
    sessions: HashMap<String, Arc<Events>>,
}

/// What a tab was told, in order.
#[derive(Default)]
struct Events {
    told: Mutex<Vec<Value>>,
    more: Notify,
}

impl Chromium {
    #[allow(clippy::zombie_processes, reason = "it lives as long as the tests, and ends when its input does")]
    fn start() -> Self {
        let program = std::env::var("PORTFIRE_TEST_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let profile = std::env::temp_dir().join(format!("portfire-chromium-{}", std::process::id()));
        let mut child = Command::new("sh")
            .args(["-c", SHELL])
            .arg(&profile)
            .arg(&program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let output = child.stdout.take().expect("it is piped");
        let shared = Arc::new(Mutex::new(Shared::default()));
        let reader = Arc::clone(&shared);
        std::thread::spawn(move || read(BufReader::new(output), &reader));
        Self { input: Mutex::new(child.stdin.take().expect("it is piped")), shared }
    }

    async fn ask(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let (answer, asked) = oneshot::channel();
        let id = {
            let mut shared = self.shared.lock().unwrap();
            shared.asked += 1;
            let id = shared.asked;
            shared.waiting.insert(id, answer);
            id
        };
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let written = self.input.lock().unwrap().write_all(format!("{message}\0").as_bytes());
        let answer = match written {
            Ok(()) => tokio::time::timeout(PATIENCE, asked).await.expect("the browser answers").ok(),
            Err(_) => None,
        };
        let answer = answer.expect(
            "no browser: run the tests by `cargo xtask test`, or say `cargo xtask browser` and export what it prints",
        );
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }
}

/// Reads until the browser ends; who still waits then hears that nobody will answer.
fn read(mut output: BufReader<ChildStdout>, shared: &Mutex<Shared>) {
    let mut message = Vec::new();
    while output.read_until(0, &mut message).is_ok_and(|length| length > 0) {
        let text = message.strip_suffix(&[0]).unwrap_or(&message);
        let value: Value = serde_json::from_slice(text).unwrap_or_default();
        let mut shared = shared.lock().unwrap();
        if let Some(id) = value["id"].as_u64() {
            if let Some(asked) = shared.waiting.remove(&id) {
                let _ = asked.send(value);
            }
        } else if let Some(events) =
            value["sessionId"].as_str().and_then(|session| shared.sessions.get(session))
        {
            events.told.lock().unwrap().push(value);
            events.more.notify_one();
        }
        message.clear();
    }
    shared.lock().unwrap().waiting.clear();
}

/// How a tab looks at pages.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub language: &'static str,
    pub zone: &'static str,
    pub scripts: bool,
    /// The system decides the colors.
    pub forced: bool,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            width: 1_280,
            height: 900,
            dark: false,
            language: "en",
            zone: "UTC",
            scripts: true,
            forced: false,
        }
    }
}

/// A tab.
pub struct Tab {
    context: Value,
    session: String,
    events: Arc<Events>,
}

impl Tab {
    pub async fn open(looks: Looks) -> Self {
        let browser = &*CHROMIUM;
        let context =
            browser.ask(None, "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await;
        Self::open_in(context["browserContextId"].clone(), looks).await
    }

    /// Another tab of the same person.
    pub async fn beside(&self, looks: Looks) -> Self {
        Self::open_in(self.context.clone(), looks).await
    }

    async fn open_in(context: Value, looks: Looks) -> Self {
        let browser = &*CHROMIUM;
        let target = json!({ "url": "about:blank", "browserContextId": context, "newWindow": true });
        let target = browser.ask(None, "Target.createTarget", target).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.ask(None, "Target.attachToTarget", attach).await["sessionId"]
            .as_str()
            .unwrap()
            .to_owned();
        let events = Arc::new(Events::default());
        browser.shared.lock().unwrap().sessions.insert(session.clone(), Arc::clone(&events));
        let tab = Self { context, session, events };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tab.ask(&format!("{domain}.enable"), json!({})).await;
        }
        tab.ask("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WITNESS })).await;
        tab.look(looks).await;
        tab
    }

    /// Looks so from now on.
    pub async fn look(&self, looks: Looks) {
        let Looks { width, height, .. } = looks;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if looks.dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
            { "name": "forced-colors", "value": if looks.forced { "active" } else { "none" } },
        ]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        self.ask("Emulation.setTimezoneOverride", json!({ "timezoneId": looks.zone })).await;
        let agent = json!({ "userAgent": "Mozilla/5.0 Chrome", "acceptLanguage": looks.language });
        self.ask("Emulation.setUserAgentOverride", agent).await;
        self.ask("Emulation.setScriptExecutionDisabled", json!({ "value": !looks.scripts })).await;
    }

    /// Stops the clock of the pages that it goes to from now on; `pass(milliseconds)` lets time pass.
    pub async fn hold_time(&self) {
        self.ask("Page.addScriptToEvaluateOnNewDocument", json!({ "source": CLOCK })).await;
    }

    pub async fn ask(&self, method: &str, params: Value) -> Value {
        CHROMIUM.ask(Some(&self.session), method, params).await
    }

    /// Goes there and waits until the page is there.
    pub async fn go(&self, address: &str) {
        self.lands(async {
            let went = self.ask("Page.navigate", json!({ "url": address })).await;
            assert!(went.get("errorText").is_none(), "{address}: {went}");
        })
        .await;
    }

    /// Does something that leads to another page, and waits until that is there.
    pub async fn lands(&self, doing: impl Future<Output = ()>) {
        let from = self.events.told.lock().unwrap().len();
        doing.await;
        self.told(from, |event| event["method"] == "Page.loadEventFired").await;
    }

    /// How much was told so far, to wait for what comes after.
    pub fn mark(&self) -> usize {
        self.events.told.lock().unwrap().len()
    }

    /// Waits until this is told.
    pub async fn told(&self, from: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let found =
                    self.events.told.lock().unwrap()[from..].iter().find(|event| wanted(event)).cloned();
                if let Some(found) = found {
                    return found;
                }
                self.events.more.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the browser tells it")
    }

    /// All that was told with this name.
    pub fn all(&self, method: &str) -> Vec<Value> {
        let told = self.events.told.lock().unwrap();
        told.iter().filter(|event| event["method"] == method).map(|event| event["params"].clone()).collect()
    }

    /// What an expression comes to; a promise is waited for.
    pub async fn eval(&self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let answer = self.ask("Runtime.evaluate", params).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    pub async fn text(&self, expression: &str) -> String {
        self.eval(expression).await.as_str().unwrap_or_else(|| panic!("{expression} is no text")).to_owned()
    }

    /// Waits until an expression of the page is true, looking at each change of the page.
    pub async fn until(&self, expression: &str) {
        let wait = format!(
            "new Promise((done) => {{
                const look = () => {{ if ({expression}) {{ watch.disconnect(); done(true); }} }};
                const watch = new MutationObserver(look);
                watch.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                look();
            }})"
        );
        self.eval(&wait).await;
    }

    /// Moves the pointer to the middle of an element; answers where that is.
    pub async fn point(&self, selector: &str) -> (f64, f64) {
        let place = format!(
            "(() => {{
                const element = document.querySelector({});
                element.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = element.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()",
            json!(selector)
        );
        let place = self.eval(&place).await;
        let (x, y) = (place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
        self.ask("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": x, "y": y })).await;
        (x, y)
    }

    /// Presses an element with the pointer.
    pub async fn click(&self, selector: &str) {
        let (x, y) = self.point(selector).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let press = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.ask("Input.dispatchMouseEvent", press).await;
        }
    }

    /// Presses a key.
    pub async fn key(&self, key: &str) {
        self.key_with(key, 0).await;
    }

    async fn key_with(&self, key: &str, modifiers: u8) {
        let (code, number, text) = match key {
            "Enter" => ("Enter", 13, "\r"),
            " " => ("Space", 32, " "),
            "Tab" => ("Tab", 9, ""),
            letter if letter.len() == 1 => ("", 0, letter),
            other => panic!("{other} is no key that tests press"),
        };
        let mut press = json!({ "type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers });
        if !text.is_empty() {
            press["text"] = text.into();
        }
        self.ask("Input.dispatchKeyEvent", press.clone()).await;
        press["type"] = "keyUp".into();
        self.ask("Input.dispatchKeyEvent", press).await;
    }

    /// Moves on with Tab, or back.
    pub async fn step(&self, back: bool) {
        self.key_with("Tab", if back { SHIFT } else { 0 }).await;
    }

    /// Moves on with Tab until this has the focus.
    pub async fn tab_to(&self, selector: &str) {
        self.move_to(selector, 0).await;
    }

    /// Moves back with Tab until this has the focus.
    pub async fn tab_back_to(&self, selector: &str) {
        self.move_to(selector, SHIFT).await;
    }

    async fn move_to(&self, selector: &str, modifiers: u8) {
        let here = format!("document.activeElement.matches({})", json!(selector));
        for _ in 0..200 {
            self.key_with("Tab", modifiers).await;
            if self.eval(&here).await == true {
                return;
            }
        }
        panic!("{selector} cannot be reached with Tab");
    }

    /// The page as a PNG, encoded in base64.
    #[allow(dead_code, reason = "only the pictures of the documentation need it")]
    pub async fn picture(&self) -> String {
        self.ask("Page.captureScreenshot", json!({ "format": "png" })).await["data"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// What went wrong on this page or the network since the tab was opened, but for answers that are refusals
    /// on purpose.
    pub async fn faults(&self, origin: &str) -> Vec<String> {
        let mut found = Vec::new();
        let witnessed = self.eval("window.witnessed ?? []").await;
        found.extend(witnessed.as_array().into_iter().flatten().map(ToString::to_string));
        found.extend(self.all("Runtime.exceptionThrown").iter().map(ToString::to_string));
        found.extend(self.all("Page.javascriptDialogOpening").iter().map(ToString::to_string));
        let complaints = self.all("Log.entryAdded");
        let complaints = complaints.iter().map(|entry| &entry["entry"]);
        found.extend(complaints.filter(|entry| entry["source"] == "security").map(ToString::to_string));
        for request in self.all("Network.requestWillBeSent") {
            let address = request["request"]["url"].as_str().unwrap_or_default();
            if !address.starts_with(origin) && !address.starts_with("data:") && address != "about:blank" {
                found.push(format!("asked elsewhere: {address}"));
            }
        }
        found
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        CHROMIUM.shared.lock().unwrap().sessions.remove(&self.session);
        let detach = json!({ "id": 0, "method": "Page.close", "sessionId": self.session });
        let _ = CHROMIUM.input.lock().unwrap().write_all(format!("{detach}\0").as_bytes());
    }
}
