//! A dashboard behind a real address, for a browser.

use std::net::SocketAddr;

use axum::Router;
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
