//! Servers from the distribution's packages, downloaded and unpacked for us alone: no root, nothing
//! installed, nothing outside the store.
//!
//! 1. apt gets lists and caches of its own in the store, and an empty record of what is installed, so that
//!    its answer does not depend on the host.
//! 2. It says which packages the server needs; those that are of use are downloaded (and verified) by it.
//! 3. They are unpacked beside each other. A server of another suite is run by its own loader.
//!
//! The mark is written last: a store without it is begun again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::engine::{Distribution, Engine, Programs, Suite};
use super::find::matching;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The programs of a server, fetched unless they were before.
pub(crate) fn programs(engine: Engine, store: &Path) -> Result<Programs, String> {
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let distribution =
        Distribution::of(&os_release).ok_or("only Debian's and Ubuntu's packages can be unpacked")?;
    let (package, suite) = engine.package(distribution);
    let (root, mark) = (store.join("root"), store.join("unpacked"));
    if !mark.exists() {
        let apt = Apt::prepare(&store.join("apt"), suite)?;
        fetch(engine, package, suite, &apt, &root)?;
        fs::write(&mark, package).map_err(|e| format!("{} cannot be written: {e}", mark.display()))?;
    }
    locate(engine, suite, &root)
}

fn fetch(engine: Engine, package: &str, suite: Suite, apt: &Apt, root: &Path) -> Result<(), String> {
    let wanted: Vec<_> = apt.closure(package)?.into_iter().filter(|name| engine.needs(name, suite)).collect();
    println!("==> {}: downloading {} packages ({package} and its libraries)", engine.name(), wanted.len());
    for archive in apt.download(&wanted)? {
        run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(root))?;
    }
    Ok(())
}

fn locate(engine: Engine, suite: Suite, root: &Path) -> Result<Programs, String> {
    let patterns = ["usr/sbin", "usr/bin", "usr/lib/postgresql/*/bin"];
    let folder = patterns
        .iter()
        .flat_map(|pattern| matching(&root.join(pattern)))
        .find(|folder| folder.join(engine.server()).is_file())
        .ok_or_else(|| format!("the packages have no `{}`", engine.server()))?;
    let mut libraries = Vec::new();
    for pattern in ["usr/lib/*-linux-gnu", "lib/*-linux-gnu"] {
        libraries.extend(matching(&root.join(pattern)).into_iter().filter(|folder| folder.is_dir()));
    }
    let loader = match suite {
        Suite::Host => None,
        Suite::Unstable => Some(loader(&libraries)?),
    };
    Ok(Programs { folder, libraries, loader })
}

fn loader(libraries: &[PathBuf]) -> Result<PathBuf, String> {
    let entries = libraries.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    entries
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux")))
        .ok_or_else(|| "the packages have no loader".to_owned())
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

    /// The names of a package and all that it needs.
    fn closure(&self, package: &str) -> Result<Vec<String>, String> {
        let plan = ["-qq", "--print-uris", "--no-install-recommends", "install", package];
        Ok(named(&run(self.command().args(plan))?))
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
    use super::named;

    #[test]
    fn the_plan_of_apt_names_the_packages() {
        let plan = "'http://a/libaio1_0.3_amd64.deb' libaio1_0.3_amd64.deb 14000 SHA256:00\n\
                    'http://a/m.deb' mariadb-server-core_1%3a10.11_amd64.deb 9 SHA256:11\n";
        assert_eq!(named(plan), ["libaio1", "mariadb-server-core"]);
        assert!(named("").is_empty());
    }
}
