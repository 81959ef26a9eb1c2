//! Every address that a page names.
//!
//! 1. A request tells where the dashboard is mounted: the path that the host saw, minus the path that is left
//!    for the dashboard; an option or a trusted proxy may say otherwise ([`Urls::of`]).
//! 2. Pages ask for an address by what it shows. Addresses are absolute paths, so that they mean the same on
//!    every page, with and without a slash at the end of the mount point.
//!
//! Names that users chose (queues, kinds, tags, schedules) travel in the query, never in the path, because
//! proxies decode `%2F`. Ids are path segments.

use portfire_core::{Fingerprint, JobId};

use crate::assets::Asset;
use crate::pairs::Pairs;

/// The addresses of one mount point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Urls {
    /// The mount point without a slash at its end; empty at the root.
    prefix: Box<str>,
}

impl Urls {
    /// The addresses under this mount point. What is not a plain path is taken for the root.
    pub(crate) fn under(prefix: &str) -> Self {
        let prefix = prefix.trim_end_matches('/');
        let plain = prefix.starts_with('/') && !prefix.starts_with("//") && prefix.bytes().all(is_plain);
        Self { prefix: if plain { prefix.into() } else { "".into() } }
    }

    /// The addresses for a request that the host saw at `outer` and the dashboard sees at `inner`.
    pub(crate) fn of(outer: &str, inner: &str) -> Self {
        // A mount point without the slash arrives inside as `/`.
        let prefix = outer.strip_suffix(inner).or_else(|| (inner == "/").then_some(outer));
        Self::under(prefix.unwrap_or_default())
    }

    /// The address of a path within the dashboard, which begins with a slash.
    pub(crate) fn at(&self, path: &str) -> String {
        if path == "/" { self.home() } else { format!("{}{path}", self.prefix) }
    }

    /// The first page.
    pub(crate) fn home(&self) -> String {
        if self.prefix.is_empty() { "/".to_owned() } else { self.prefix.to_string() }
    }

    /// A path with a query.
    pub(crate) fn with(&self, path: &str, query: &Pairs) -> String {
        format!("{}{}", self.at(path), query.to_query())
    }

    /// A path with one pair of a query.
    pub(crate) fn one(&self, path: &str, name: &str, value: &str) -> String {
        self.with(path, &Pairs::default().with(name, value))
    }

    /// The page of a job.
    pub(crate) fn job(&self, job: JobId) -> String {
        self.at(&format!("/jobs/{job}"))
    }

    /// The jobs that this filter finds.
    pub(crate) fn jobs(&self, filter: &str) -> String {
        if filter.is_empty() { self.at("/jobs") } else { self.one("/jobs", "q", filter) }
    }

    /// The failed jobs of one group of failures.
    pub(crate) fn failed_alike(&self, group: Fingerprint) -> String {
        self.jobs(&format!("state:failed fault:{group}"))
    }

    /// An embedded file, under the name that changes with what is in it.
    pub(crate) fn asset(&self, asset: &Asset) -> String {
        self.at(&format!("/assets/{}", asset.hashed_name()))
    }

    /// Where to go back to, as a form said: a path within the dashboard, or else the first page.
    pub(crate) fn back(&self, path: Option<&str>) -> String {
        let inside = |path: &&str| {
            path.starts_with('/')
                && !path.starts_with("//")
                && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        };
        path.filter(inside).map_or_else(|| self.home(), |path| self.at(path))
    }
}

/// What may stand in a mount point without a second meaning in HTML, headers or addresses.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-_.~%!$'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::Urls;

    #[test]
    fn the_mount_point_is_what_the_host_saw_and_the_dashboard_did_not() {
        for (outer, inner, home, jobs) in [
            ("/", "/", "/", "/jobs"),
            ("/jobs", "/jobs", "/", "/jobs"),
            ("/hangfire", "/", "/hangfire", "/hangfire/jobs"),
            ("/hangfire/", "/", "/hangfire", "/hangfire/jobs"),
            ("/t/42/jobs/jobs", "/jobs", "/t/42/jobs", "/t/42/jobs/jobs"),
        ] {
            let urls = Urls::of(outer, inner);
            assert_eq!((&*urls.home(), &*urls.at("/jobs")), (home, jobs), "{outer} {inner}");
        }
    }

    #[test]
    fn what_leads_out_of_the_dashboard_leads_home() {
        let urls = Urls::under("/hangfire");
        assert_eq!(urls.back(Some("/jobs?q=state%3Afailed")), "/hangfire/jobs?q=state%3Afailed");
        for path in
            ["https://evil.example", "//evil.example", "/\\evil.example", "/a\nb", "/測試", "/\u{7f}", ""]
        {
            assert_eq!(urls.back(Some(path)), "/hangfire", "{path}");
        }
        assert_eq!(Urls::under("//evil.example").home(), "/");
        assert_eq!(Urls::under("/a\"b").home(), "/");
    }
}
