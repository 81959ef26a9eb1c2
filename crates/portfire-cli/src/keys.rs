//! Who may come in, from files: one line each with a name, a role and the hash of a secret.
//!
//! ```text
//! # name  role      hash (made by `portfire hash`)
//! ming    operator  $argon2id$v=19$m=19456,t=2,p=1$…
//! ```

use std::path::Path;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use portfire_core::{Error, Result};
use portfire_dashboard::{BasicGate, BearerGate, Gate, PasswordHash, Permissions};

/// One line.
#[derive(Debug)]
pub(crate) struct Key {
    name: Box<str>,
    role: Permissions,
    hash: PasswordHash,
}

/// Reads a file of keys.
pub(crate) fn read(path: &Path) -> Result<Vec<Key>> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| Error::misuse(format!("{} cannot be read", path.display())).caused_by(cause))?;
    let keys = parse(&text)
        .map_err(|(line, why)| Error::misuse(format!("{}, line {line}: {why}", path.display())))?;
    if keys.is_empty() {
        return Err(Error::misuse(format!("{} lets nobody in; a line is `name role hash`", path.display())));
    }
    Ok(keys)
}

/// The keys of a text, or the line that is wrong and why. The line itself is not repeated: it is half a secret.
fn parse(text: &str) -> std::result::Result<Vec<Key>, (usize, String)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(at, line)| key(line).map_err(|why| (at, why)))
        .collect()
}

fn key(line: &str) -> std::result::Result<Key, String> {
    let [name, role, hash] = line.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err("a line is `name role hash`".to_owned());
    };
    let role = match role {
        "viewer" => Permissions::viewer(),
        "operator" => Permissions::operator(),
        "admin" => Permissions::admin(),
        _ => return Err("the role is `viewer`, `operator` or `admin`".to_owned()),
    };
    let hash = PasswordHash::parse(hash).map_err(|error| format!("{error}; `portfire hash` makes one"))?;
    Ok(Key { name: name.into(), role, hash })
}

/// Lets people in by name and password, and programs by token.
#[derive(Debug)]
pub(crate) struct Door {
    people: BasicGate,
    programs: BearerGate,
    only_programs: bool,
}

impl Door {
    pub(crate) fn new(people: Vec<Key>, programs: Vec<Key>) -> Self {
        let only_programs = people.is_empty();
        let people =
            people.into_iter().fold(BasicGate::new(), |gate, key| gate.user(key.name, key.hash, key.role));
        let programs = programs
            .into_iter()
            .fold(BearerGate::new(), |gate, key| gate.token(key.name, key.hash, key.role));
        Self { people, programs, only_programs }
    }
}

impl Gate for Door {
    fn access<'a>(&'a self, parts: &'a Parts) -> portfire_dashboard::Answer<'a> {
        let given =
            parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let scheme = given.split(' ').next().unwrap_or_default();
        if self.only_programs || scheme.eq_ignore_ascii_case("bearer") {
            self.programs.access(parts)
        } else {
            self.people.access(parts)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_file_of_keys_is_read_and_its_mistakes_are_named() {
        let hash = portfire_dashboard::hash_password("secret").unwrap();
        let keys = parse(&format!("# who\n\n ming  operator {hash}\nann admin {hash}\n")).unwrap();
        assert_eq!(keys.iter().map(|key| &*key.name).collect::<Vec<_>>(), ["ming", "ann"]);
        for (text, line, why) in [
            ("ming\n", 1, "`name role hash`"),
            ("\nming king x\n", 2, "the role is"),
            ("ming viewer secret", 1, "`portfire hash` makes one"),
        ] {
            let (at, said) = parse(text).unwrap_err();
            assert!(at == line && said.contains(why) && !said.contains("secret"), "{said}");
        }
    }
}
