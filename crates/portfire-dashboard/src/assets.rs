//! The embedded files, under names that change with what is in them, and compressed once.

use std::io::Write;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::urls::Urls;

/// A browser may keep it for ever: another content has another name.
const KEEP: &str = "public, max-age=31536000, immutable";

/// One embedded file.
#[derive(Debug)]
pub(crate) struct Asset {
    name: &'static str,
    end: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    hash: u64,
    gzip: Vec<u8>,
}

/// The style sheet.
pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("style", "css", "text/css; charset=utf-8", include_bytes!("../assets/style.css"))
});
/// The script: one module.
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("script", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/script.js"))
});
/// The script that keeps one live stream for all tabs of a browser.
pub(crate) static WORKER: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("worker", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/worker.js"))
});
/// The mark in a browser's tab.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")));

/// All of them.
pub(crate) fn all() -> [&'static Asset; 4] {
    [&STYLE, &SCRIPT, &WORKER, &ICON]
}

impl Asset {
    fn new(
        name: &'static str,
        end: &'static str,
        content_type: &'static str,
        content: &'static [u8],
    ) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzip = encoder.write_all(content).and_then(|()| encoder.finish());
        let gzip = gzip.expect("writing to memory does not fail");
        Self { name, end, content_type, content, hash: fnv(content), gzip }
    }

    /// Its name with the hash in it.
    pub(crate) fn hashed_name(&self) -> String {
        format!("{}.{:016x}.{}", self.name, self.hash, self.end)
    }

    /// Its compressed size, in bytes.
    #[cfg(test)]
    pub(crate) fn gzip_size(&self) -> usize {
        self.gzip.len()
    }

    fn respond(&self, asked: &HeaderMap) -> Response {
        let accepted = asked.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let gzip = accepted.split(',').any(|one| {
            let one = one.trim();
            one == "gzip" || one.starts_with("gzip;") && !one.ends_with("q=0")
        });
        let answer = Response::builder()
            .header(CONTENT_TYPE, self.content_type)
            .header(CACHE_CONTROL, KEEP)
            .header(VARY, "accept-encoding");
        let answer = if gzip {
            answer.header(CONTENT_ENCODING, "gzip").body(Body::from(self.gzip.clone()))
        } else {
            answer.body(Body::from(self.content))
        };
        answer.expect("these headers are well formed")
    }
}

/// The file of this name. One whose hash is of another version leads to the present one, so that a tab that
/// was open during a deploy goes on; `None` for what was never a file here.
pub(crate) fn find(name: &str, asked: &HeaderMap, urls: &Urls) -> Option<Response> {
    let mut parts = name.split('.');
    let (first, last) = (parts.next()?, parts.next_back()?);
    let asset = all().into_iter().find(|asset| asset.name == first && asset.end == last)?;
    if asset.hashed_name() == name {
        return Some(asset.respond(asked));
    }
    let there = Response::builder().status(StatusCode::FOUND).header(LOCATION, urls.asset(asset));
    Some(there.body(Body::empty()).expect("these headers are well formed"))
}

/// FNV-1a over 64 bits: tells versions of a file apart; nobody is kept out by it.
fn fnv(content: &[u8]) -> u64 {
    content
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::all;

    /// The page itself is measured in `tests/it`; together they stay below 60 KB.
    #[test]
    fn the_files_of_a_first_load_are_small() {
        let size: usize = all().iter().map(|asset| asset.gzip_size()).sum();
        assert!(size <= 28 << 10, "{size} bytes");
    }
}
