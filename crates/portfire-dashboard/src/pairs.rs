//! The names and values of a query string or a form. Names may repeat; order is kept.

/// Names and values, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads `a=1&b=2`. Everything can be read: what is malformed becomes U+FFFD.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        form_urlencoded::parse(encoded)
            .fold(Self::default(), |pairs, (name, value)| pairs.with(&name, &value))
    }

    /// The first value of this name that is not blank, without space around it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.trim()).find(|value| !value.is_empty())
    }

    /// Every value of this name.
    pub(crate) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The same without these names.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| !names.contains(&&**name)).cloned().collect())
    }

    /// The same with one more pair. A NUL becomes U+FFFD too: no name has one, and not every database can be
    /// asked for it.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.replace('\0', "\u{fffd}"), value.replace('\0', "\u{fffd}")));
        self
    }

    /// The form that travels, with a `?` before it; empty if there is nothing.
    pub(crate) fn to_query(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let pairs = self.0.iter().map(|(name, value)| (&**name, &**value));
        format!("?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    }

    /// The pairs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

#[cfg(test)]
mod tests {
    use super::Pairs;

    #[test]
    fn what_travels_comes_back() {
        let pairs = Pairs::default().with("q", "kind:\"a b\" &=%+測試").with("q", "");
        let query = pairs.to_query();
        assert_eq!(Pairs::parse(query.trim_start_matches('?').as_bytes()), pairs);
        assert_eq!(pairs.get("q"), Some("kind:\"a b\" &=%+測試"));
        assert_eq!(pairs.without(&["q"]).to_query(), "");
    }

    #[test]
    fn a_nul_reaches_no_database() {
        let pairs = Pairs::parse(b"queue=a%00b&%00=1&x=%ff");
        let all: Vec<_> = pairs.iter().collect();
        assert_eq!(all, [("queue", "a\u{fffd}b"), ("\u{fffd}", "1"), ("x", "\u{fffd}")]);
    }
}
