//! What the host is called, where the system says it in a file.

/// The files that say it on Linux: of the running system, and of its configuration.
const FILES: [&str; 2] = ["/proc/sys/kernel/hostname", "/etc/hostname"];

/// The name of this host; empty where it is not known.
pub(super) fn host_name() -> Box<str> {
    FILES.iter().find_map(|file| named_in(&std::fs::read_to_string(file).ok()?)).unwrap_or_default()
}

fn named_in(text: &str) -> Option<Box<str>> {
    let name = text.trim();
    (!name.is_empty() && !name.contains(char::is_control)).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::named_in;

    #[test]
    fn a_name_is_one_line_of_text() {
        assert_eq!(named_in("web-1\n").as_deref(), Some("web-1"));
        assert_eq!(named_in(" \n"), None);
        assert_eq!(named_in("a\nb\n"), None);
    }
}
