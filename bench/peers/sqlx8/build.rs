//! Puts together the migrations of those peers that leave it to the application to run them, from their own packages.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The packages, and where in them their migrations are.
const MIGRATIONS: [(&str, &str); 2] =
    [("fang", "postgres_migrations/migrations"), ("sqlxmq", "migrations")];

fn main() -> Result<(), Box<dyn Error>> {
    let packages = packages()?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (package, inside) in MIGRATIONS {
        let mut files = Vec::new();
        upward(&folder_of(&packages, package)?.join(inside), &mut files)?;
        files.sort();
        let texts = files.iter().map(fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
        fs::write(out.join(format!("{package}.sql")), texts.join("\n"))?;
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    Ok(())
}

fn packages() -> Result<serde_json::Value, Box<dyn Error>> {
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &env::var("TARGET")?]);
    let told = cargo.output()?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into());
    }
    Ok(serde_json::from_slice(&told.stdout)?)
}

fn folder_of(metadata: &serde_json::Value, name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let packages = metadata["packages"].as_array().ok_or("cargo names no packages")?;
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    Ok(folder.ok_or_else(|| format!("cargo does not know where {name} is"))?.into())
}

/// The files that lead upward, in this folder and those in it.
fn upward(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            upward(&path, files)?;
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("up.sql")) {
            files.push(path);
        }
    }
    Ok(())
}
