//! The browser that the tests of the dashboard run in.
//!
//! In this order: the program in the environment; a Chromium or Chrome on the PATH; Debian's packages,
//! unpacked into `target/browser` without root; an error that says what to install. A browser that cannot be
//! had is an error, never a skip.
//!
//! Found is only what has shown a page: a program that is there but lacks a library is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::db::find::{libraries, matching};
use crate::unpack::{self, Distribution, Suite, run};
use crate::variable;

/// Where tests look for the browser's program.
pub(crate) const VARIABLE: &str = "PORTFIRE_TEST_CHROMIUM";
/// The names it has on common systems.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// What is unpacked: the browser, and a font each for Latin and for Chinese.
const PACKAGES: [&str; 3] = ["chromium", "fonts-dejavu-core", "fonts-droid-fallback"];
/// What to do where none of our ways works.
const ADVICE: &str = "no browser: put `chromium` or `google-chrome` on the PATH (Debian: `apt install chromium`; \
                      Ubuntu: Chrome's own package; Fedora: `dnf install chromium`; macOS: `brew install chromium`), \
                      or set PORTFIRE_TEST_CHROMIUM to the program";
/// Says which fonts there are, so that no host's own are needed.
const FONTS: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n\
                     <dir>{root}/usr/share/fonts</dir>\n<cachedir>{store}/fonts</cachedir>\n</fontconfig>\n";

/// `cargo xtask browser`.
pub(crate) fn command(root: &Path) -> Result<(), String> {
    println!("export {VARIABLE}='{}'", find(root)?.display());
    Ok(())
}

/// The browser's program.
pub(crate) fn find(root: &Path) -> Result<PathBuf, String> {
    if let Some(given) = variable(VARIABLE) {
        return Ok(given.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    if let Some(program) =
        places.into_iter().find(|program| program.is_file() && shows_a_page(program).is_ok())
    {
        return Ok(program);
    }
    unpacked(&root.join("target/browser")).map_err(|why| format!("{ADVICE}\n({why})"))
}

/// From Debian's packages; Ubuntu's only send for a snap.
fn unpacked(store: &Path) -> Result<PathBuf, String> {
    if Distribution::here()? != Distribution::Debian {
        return Err("only Debian has Chromium as a package that can be unpacked".to_owned());
    }
    let root = unpack::packages(&PACKAGES, Suite::Host, is_of_use, store)?;
    let program = store.join("chromium");
    let failed = |e| format!("{} cannot be written: {e}", program.display());
    let fonts = FONTS.replace("{root}", &root.display().to_string());
    fs::write(store.join("fonts.conf"), fonts.replace("{store}", &store.display().to_string()))
        .map_err(failed)?;
    fs::write(&program, script(store, &root)).map_err(failed)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    shows_a_page(&program)?;
    Ok(program)
}

/// Whether a package of the closure is of use: not what draws on a screen, and not the C library, which is the
/// host's.
fn is_of_use(package: &str) -> bool {
    let screens_and_host =
        ["libllvm", "libgl1-mesa", "libz3", "libperl", "libsystemd-shared", "libc6", "libc-"];
    let is_library =
        package.starts_with("lib") && !screens_and_host.iter().any(|name| package.starts_with(name));
    is_library || package == "zlib1g" || package.starts_with("chromium") || package.starts_with("fonts-")
}

/// Starts the browser with its own libraries and fonts.
fn script(store: &Path, root: &Path) -> String {
    // A library of PulseAudio has a folder of its own.
    let of_sound = matching(&root.join("usr/lib/*-linux-gnu/pulseaudio"));
    let folders: Vec<_> =
        libraries(root).iter().chain(&of_sound).map(|folder| folder.display().to_string()).collect();
    format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' FONTCONFIG_FILE='{}' exec '{}' \"$@\"\n",
        folders.join(":"),
        store.join("fonts.conf").display(),
        root.join("usr/lib/chromium/chromium").display()
    )
}

/// Shows a page without a screen. Without its sandbox, which no root has; the page is our own.
fn shows_a_page(program: &Path) -> Result<(), String> {
    let profile = std::env::temp_dir().join(format!("portfire-browser-{}", std::process::id()));
    let page = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "data:text/html,<p>it works"];
    let shown = run(Command::new(program).arg(format!("--user-data-dir={}", profile.display())).args(page));
    let _ = fs::remove_dir_all(profile);
    let shown = shown?;
    if shown.contains("<p>it works") { Ok(()) } else { Err(format!("`{}` shows no page", program.display())) }
}

#[cfg(test)]
mod tests {
    use super::{is_of_use, script};
    use std::path::Path;

    #[test]
    fn the_browser_its_libraries_and_fonts_are_fetched() {
        for name in ["chromium", "chromium-common", "libnss3", "libgtk-3-0", "fonts-droid-fallback"] {
            assert!(is_of_use(name), "{name}");
        }
        for name in ["libc6", "libllvm15", "systemd", "perl-base", "adwaita-icon-theme"] {
            assert!(!is_of_use(name), "{name}");
        }
    }

    #[test]
    fn it_is_started_with_its_own_fonts() {
        let script = script(Path::new("/store"), Path::new("/store/root"));
        assert!(
            script
                .contains("FONTCONFIG_FILE='/store/fonts.conf' exec '/store/root/usr/lib/chromium/chromium'")
        );
    }
}
