//! A dashboard behind a real address, for a browser.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A router that is served until this is dropped.
pub struct Served {
    pub origin: String,
    _task: JoinSet<()>,
}

impl Served {
    pub async fn start(router: Router) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        task.spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { origin, _task: task }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

/// What a router was asked, in order, and how many streams are open.
#[derive(Clone)]
pub struct Asked {
    paths: Arc<watch::Sender<Vec<String>>>,
    streams: Arc<watch::Sender<usize>>,
}

impl Asked {
    /// The router, which tells what it is asked.
    pub fn of(router: Router) -> (Router, Self) {
        let asked = Self { paths: watch::channel(Vec::new()).0.into(), streams: watch::channel(0).0.into() };
        let teller = asked.clone();
        let told = from_fn(move |request: Request, next: Next| teller.clone().tell(request, next));
        (router.layer(told), asked)
    }

    async fn tell(self, request: Request, next: Next) -> Response {
        let path = request.uri().to_string();
        self.paths.send_modify(|paths| paths.push(path.clone()));
        let answer = next.run(request).await;
        if !path.contains("/events") || !answer.status().is_success() {
            return answer;
        }
        let open = Open::new(self.streams);
        let (parts, body) = answer.into_parts();
        let body = body.into_data_stream().map(move |frame| {
            let _ = &open;
            frame
        });
        Response::from_parts(parts, Body::from_stream(body))
    }

    /// How much was asked so far.
    pub fn mark(&self) -> usize {
        self.paths.borrow().len()
    }

    /// What was asked since a mark, but for embedded files, which a browser may fetch when it likes.
    pub fn since(&self, mark: usize) -> Vec<String> {
        let paths = self.paths.borrow();
        paths[mark..].iter().filter(|path| !path.contains("/assets/")).cloned().collect()
    }

    /// Waits until so much was asked for since a mark.
    pub async fn until(&self, mark: usize, what: &str, times: usize) {
        let mut paths = self.paths.subscribe();
        let enough =
            |paths: &Vec<String>| paths[mark..].iter().filter(|path| path.contains(what)).count() >= times;
        patiently(paths.wait_for(enough)).await.unwrap();
    }

    /// Waits until so many streams are open.
    pub async fn streams(&self, wanted: usize) {
        let mut streams = self.streams.subscribe();
        patiently(streams.wait_for(|open| *open == wanted)).await.unwrap();
    }

    /// How many streams are open.
    pub fn open(&self) -> usize {
        *self.streams.borrow()
    }
}

/// Nothing is measured by it: it ends a test that would wait for ever.
async fn patiently<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it comes")
}

/// One open stream.
struct Open(Arc<watch::Sender<usize>>);

impl Open {
    fn new(streams: Arc<watch::Sender<usize>>) -> Self {
        streams.send_modify(|open| *open += 1);
        Self(streams)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}
