//! Where the programs of a server come from: the PATH, the folders of common systems, packages that are
//! unpacked for us alone.

use std::fs;
use std::path::{Path, PathBuf};

use super::engine::{Engine, Programs};
use crate::unpack::{self, Distribution, Suite};

/// Finds the programs, or fetches them into `store`.
pub(crate) fn programs(engine: Engine, store: &Path) -> Result<Programs, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let known = engine.folders().iter().flat_map(|pattern| matching(Path::new(pattern)));
    match on_path.chain(known).find_map(|folder| installed(engine, &folder)) {
        Some(folder) => Ok(Programs { folder, libraries: Vec::new(), loader: None }),
        None => unpacked(engine, store).map_err(|why| format!("{}\n({why})", engine.advice())),
    }
}

/// From the distribution's packages.
fn unpacked(engine: Engine, store: &Path) -> Result<Programs, String> {
    let (package, suite) = engine.package(Distribution::here()?);
    let root = unpack::packages(&[package], suite, |name| engine.needs(name, suite), store)?;
    let patterns = ["usr/sbin", "usr/bin", "usr/lib/postgresql/*/bin"];
    let folder = patterns
        .iter()
        .flat_map(|pattern| matching(&root.join(pattern)))
        .find(|folder| folder.join(engine.server()).is_file())
        .ok_or_else(|| format!("the packages have no `{}`", engine.server()))?;
    let libraries = libraries(&root);
    let loader = match suite {
        Suite::Host => None,
        Suite::Unstable => Some(loader(&libraries)?),
    };
    Ok(Programs { folder, libraries, loader })
}

/// The folders of libraries below an unpacked root.
pub(crate) fn libraries(root: &Path) -> Vec<PathBuf> {
    let patterns = ["usr/lib/*-linux-gnu", "lib/*-linux-gnu"];
    let folders = patterns.iter().flat_map(|pattern| matching(&root.join(pattern)));
    folders.filter(|folder| folder.is_dir()).collect()
}

fn loader(libraries: &[PathBuf]) -> Result<PathBuf, String> {
    let entries = libraries.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    entries
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux")))
        .ok_or_else(|| "the packages have no loader".to_owned())
}

/// The real folder of the server's program: what belongs to it is beside it, not beside a link to it.
fn installed(engine: Engine, folder: &Path) -> Option<PathBuf> {
    let program = fs::canonicalize(folder.join(engine.server())).ok()?;
    // MariaDB installs a `mysqld` too, which is not MySQL.
    let itself = program.file_name().is_some_and(|name| name == engine.server());
    (itself && program.is_file()).then(|| program.parent().map(Path::to_path_buf))?
}

/// The folders that a pattern with at most one `*` matches, newest version first.
pub(crate) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let text = pattern.to_string_lossy();
    let Some((before, after)) = text.split_once('*') else { return vec![pattern.to_path_buf()] };
    let (parent, start) = before.rsplit_once('/').unwrap_or((".", before));
    let (end, rest) = after.split_once('/').unwrap_or((after, ""));
    let entries = fs::read_dir(format!("{parent}/")).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(start) && name.ends_with(end))
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(version(name)));
    names.into_iter().map(|name| Path::new(parent).join(name).join(rest)).collect()
}

/// The number in a folder's name.
fn version(name: &str) -> u32 {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{matching, version};
    use std::path::{Path, PathBuf};

    #[test]
    fn the_newest_version_comes_first() {
        assert!(version("15") > version("9") && version("pgsql-17") > version("pgsql-16"));
        let folder = std::env::temp_dir().join(format!("portfire-find-{}", std::process::id()));
        for name in ["9/bin", "15/bin"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        let pattern = folder.join("*/bin");
        assert_eq!(matching(&pattern), ["15/bin", "9/bin"].map(|name| folder.join(name)));
        assert_eq!(matching(Path::new("/usr/sbin")), [PathBuf::from("/usr/sbin")]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
