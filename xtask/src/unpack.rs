//! Programs from the distribution's packages, downloaded and unpacked for us alone: no root, nothing
//! installed, nothing outside the store.
//!
//! 1. apt gets lists and caches of its own in the store, and an empty record of what is installed, so that
//!    its answer does not depend on the host.
//! 2. It says what the packages need; those that are of use are downloaded (and verified) by it.
//! 3. They are unpacked beside each other. A program of another suite is run by its own loader.
//!
//! The mark is written last: a store without it is begun again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where packages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// The sources of this host: its own C library fits.
    Host,
    /// Debian unstable, which has what Debian 12 lacks: run beside its own loader and C library.
    Unstable,
}

/// The families of distributions whose packages we can unpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distribution {
    Debian,
    Ubuntu,
}

impl Distribution {
    /// That of this host.
    pub(crate) fn here() -> Result<Self, String> {
        let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Self::of(&os_release).ok_or_else(|| "only Debian's and Ubuntu's packages can be unpacked".to_owned())
    }

    /// From the text of `/etc/os-release`.
    pub(crate) fn of(os_release: &str) -> Option<Self> {
        let value = |key: &str| {
            os_release.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"'))
        };
        let (id, like) = (value("ID=").unwrap_or_default(), value("ID_LIKE=").unwrap_or_default());
        let is = |name| id == name || like.split(' ').any(|word| word == name);
        match () {
            () if is("ubuntu") => Some(Self::Ubuntu),
            () if is("debian") => Some(Self::Debian),
            () => None,
        }
    }
}

/// The root of what these packages hold, with those that they need and are of use; fetched unless they were
/// before.
pub(crate) fn packages(
    names: &[&str],
    suite: Suite,
    is_of_use: impl Fn(&str) -> bool,
    store: &Path,
) -> Result<PathBuf, String> {
    let (root, mark) = (store.join("root"), store.join("unpacked"));
    if mark.exists() {
        return Ok(root);
    }
    let apt = Apt::prepare(&store.join("apt"), suite)?;
    let wanted: Vec<_> = apt.closure(names)?.into_iter().filter(|name| is_of_use(name)).collect();
    println!("==> downloading {} packages ({} and what is needed)", wanted.len(), names.join(", "));
    for archive in apt.download(&wanted)? {
        run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(&root))?;
    }
    fs::write(&mark, names.join("\n")).map_err(|e| format!("{} cannot be written: {e}", mark.display()))?;
    Ok(root)
}

/// apt with everything it writes in a folder of ours.
struct Apt {
    folder: PathBuf,
    options: Vec<String>,
}

impl Apt {
    fn prepare(folder: &Path, suite: Suite) -> Result<Self, String> {
        let failed = |e| format!("{} cannot be prepared: {e}", folder.display());
        for inner in ["lists/partial", "cache/archives/partial", "archives"] {
            fs::create_dir_all(folder.join(inner)).map_err(failed)?;
        }
        fs::write(folder.join("status"), "").map_err(failed)?;
        let place = folder.display();
        let mut options = vec![
            format!("Dir::State::lists={place}/lists"),
            format!("Dir::State::status={place}/status"),
            format!("Dir::Cache={place}/cache"),
            "Debug::NoLocking=1".to_owned(),
            // As root, apt would download as another user, who may not be allowed to write here.
            "APT::Sandbox::User=root".to_owned(),
        ];
        if suite == Suite::Unstable {
            let source = format!("deb [signed-by={KEYRING}] http://deb.debian.org/debian unstable main\n");
            fs::write(folder.join("sources.list"), source).map_err(failed)?;
            options.push(format!("Dir::Etc::sourcelist={place}/sources.list"));
            options.push(format!("Dir::Etc::sourceparts={place}/none"));
        }
        let apt = Self { folder: folder.to_path_buf(), options };
        run(apt.command().args(["-qq", "update"]))?;
        Ok(apt)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        for option in &self.options {
            command.args(["-o", option]);
        }
        command.current_dir(self.folder.join("archives"));
        command
    }

    /// The names of packages and all that they need.
    fn closure(&self, packages: &[&str]) -> Result<Vec<String>, String> {
        let plan = ["-qq", "--print-uris", "--no-install-recommends", "install"];
        Ok(named(&run(self.command().args(plan).args(packages))?))
    }

    fn download(&self, packages: &[String]) -> Result<Vec<PathBuf>, String> {
        run(self.command().args(["-qq", "download"]).args(packages))?;
        let entries = fs::read_dir(self.folder.join("archives")).map_err(|e| e.to_string())?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    }
}

/// The names in what `apt-get --print-uris` says: `'uri' name_version_arch.deb size hash`.
fn named(plan: &str) -> Vec<String> {
    let file = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    let name = |file: String| file.split_once('_').map(|(name, _)| name.to_owned());
    plan.lines().filter_map(file).filter_map(name).collect()
}

/// Runs a command; answers what it said, or what it complained of.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("`{program}` cannot be run: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("`{program}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::{Distribution, named};

    #[test]
    fn the_plan_of_apt_names_the_packages() {
        let plan = "'http://a/libaio1_0.3_amd64.deb' libaio1_0.3_amd64.deb 14000 SHA256:00\n\
                    'http://a/m.deb' mariadb-server-core_1%3a10.11_amd64.deb 9 SHA256:11\n";
        assert_eq!(named(plan), ["libaio1", "mariadb-server-core"]);
        assert!(named("").is_empty());
    }

    #[test]
    fn a_distribution_is_known_by_itself_or_by_its_family() {
        assert_eq!(Distribution::of("NAME=x\nID=debian\n"), Some(Distribution::Debian));
        assert_eq!(Distribution::of("ID=ubuntu\nID_LIKE=debian\n"), Some(Distribution::Ubuntu));
        assert_eq!(Distribution::of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), Some(Distribution::Ubuntu));
        assert_eq!(Distribution::of("ID=fedora\n"), None);
    }
}
