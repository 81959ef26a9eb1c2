//! The peers that are written for Node: a copy of their folder with what npm installs beside it, a Node of their own
//! included, so that nothing of it is among the sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::unpack::run;

const SOURCE: &str = "bench/peers/node";
/// Which script starts them.
const PROGRAM: &str = "peers-node";
/// What says exactly what is installed.
const LOCK: &str = "package-lock.json";
/// Where it is noted which of them npm has installed.
const INSTALLED: &str = "installed";

/// Installs them into `target`, and answers their program.
pub(super) fn install(root: &Path, target: &Path) -> Result<PathBuf, String> {
    let (source, folder) = (root.join(SOURCE), target.join("node"));
    copy(&source, &folder).map_err(|e| format!("{} cannot be filled: {e}", folder.display()))?;
    let lock = fs::read_to_string(source.join(LOCK)).map_err(|e| format!("{LOCK}: {e}"))?;
    if fs::read_to_string(folder.join(INSTALLED)).is_ok_and(|installed| installed == lock) {
        return Ok(folder.join(PROGRAM));
    }
    println!("==> peers: npm ci in {}", folder.display());
    // Nothing of it has to be compiled, and the Node that runs npm is not the one that runs them.
    let how = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    run(Command::new("npm").args(how).current_dir(&folder))?;
    fs::write(folder.join(INSTALLED), lock).map_err(|e| e.to_string())?;
    Ok(folder.join(PROGRAM))
}

/// The files of one folder, with their rights.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
