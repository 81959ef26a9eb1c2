//! JSON as it is shown: laid out, marked up by kind of word, with some values hidden. Never parsed into numbers,
//! so that every digit stays what it was. Pure; what is not JSON comes out as it went in, only shown.

/// Deepest that JSON is indented.
const DEPTH_SHOWN_MAX: usize = 16;

/// A piece of JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// One of `{}[],:`.
    Mark(char),
    /// A string that names a value, with its quotes.
    Key(&'t str),
    /// A string, with its quotes.
    Text(&'t str),
    /// A number, `true`, `false` or `null`.
    Word(&'t str),
}

/// The pieces of a JSON text, without the space between them.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            '"' => string_length(rest),
            _ => rest.find(|c: char| "{}[],:\"".contains(c) || c.is_whitespace()).unwrap_or(rest.len()),
        };
        let (piece, after) = rest.split_at(length);
        rest = after.trim_start();
        found.push(match first {
            '"' if rest.starts_with(':') => Token::Key(piece),
            '"' => Token::Text(piece),
            '{' | '}' | '[' | ']' | ',' | ':' => Token::Mark(first),
            _ => Token::Word(piece),
        });
    }
    found
}

/// The length of the string at the beginning, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The members of an object, in their order: each key without quotes, and the pieces of its value. `None` if it
/// is no object.
pub(crate) fn members(text: &str) -> Option<Vec<(&str, Vec<Token<'_>>)>> {
    let all = tokens(text);
    let [Token::Mark('{'), inner @ .., Token::Mark('}')] = &all[..] else { return None };
    let mut found: Vec<(&str, Vec<Token<'_>>)> = Vec::new();
    let mut depth = 0_u32;
    let mut tokens = inner.iter().copied().peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Key(key) if depth == 0 => {
                tokens.next_if_eq(&Token::Mark(':'));
                found.push((bare(key), Vec::new()));
            }
            Token::Mark(',') if depth == 0 => {}
            other => {
                depth = match other {
                    Token::Mark('{' | '[') => depth + 1,
                    Token::Mark('}' | ']') => depth.saturating_sub(1),
                    _ => depth,
                };
                found.last_mut()?.1.push(other);
            }
        }
    }
    Some(found)
}

/// A string without its quotes.
pub(crate) fn bare(quoted: &str) -> &str {
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted)
}

/// The text with the values of these fields hidden, in any case and at any depth.
pub(crate) fn redact(text: &str, fields: &[Box<str>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut tokens = tokens(text).into_iter().peekable();
    while let Some(token) = tokens.next() {
        push(&mut out, token);
        let Token::Key(key) = token else { continue };
        if !fields.iter().any(|field| field.to_lowercase() == bare(key).to_lowercase()) {
            continue;
        }
        if tokens.next_if_eq(&Token::Mark(':')).is_some() {
            out.push_str(":\"‹hidden›\"");
        }
        let mut depth = 0_u32;
        while let Some(token) = tokens.peek() {
            match token {
                Token::Mark('{' | '[') => depth += 1,
                Token::Mark('}' | ']' | ',') if depth == 0 => break,
                Token::Mark('}' | ']') => depth -= 1,
                _ => {}
            }
            tokens.next();
        }
    }
    out
}

fn push(out: &mut String, token: Token<'_>) {
    match token {
        Token::Mark(mark) => out.push(mark),
        Token::Key(text) | Token::Text(text) | Token::Word(text) => out.push_str(text),
    }
}

/// The pieces laid out: what stands before each piece is a line break with its depth, a space, or nothing.
pub(crate) fn laid_out<'t>(tokens: &[Token<'t>], indent: usize) -> Vec<(String, Token<'t>)> {
    // Deeper than this it stays where it is: whoever nests brackets by the thousand gets no page of spaces.
    let line = |depth: usize| format!("\n{}", "    ".repeat(depth.min(DEPTH_SHOWN_MAX)));
    let mut depth = indent;
    let mut found = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| tokens[before]);
        let closes = matches!(token, Token::Mark('}' | ']'));
        if closes {
            depth = depth.saturating_sub(1);
        }
        let space = match (before, token) {
            (None, _) | (_, Token::Mark(',' | ':')) => String::new(),
            (Some(Token::Mark('{' | '[')), _) if closes => String::new(),
            (Some(Token::Mark('{' | '[' | ',')), _) => line(depth),
            (Some(Token::Mark(':')), _) => " ".to_owned(),
            _ if closes => line(depth),
            _ => " ".to_owned(),
        };
        if matches!(token, Token::Mark('{' | '[')) {
            depth += 1;
        }
        found.push((space, *token));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{laid_out, members, redact, tokens};

    fn pretty(text: &str) -> String {
        let mut out = String::new();
        for (space, token) in laid_out(&tokens(text), 0) {
            out.push_str(&space);
            super::push(&mut out, token);
        }
        out
    }

    #[test]
    fn every_digit_and_every_key_stays_as_it_was_written() {
        let text = r#"{"b":9007199254740993,"a":[1.10,{}],"c":"x\"}, y","d":null}"#;
        assert_eq!(
            pretty(text),
            "{\n    \"b\": 9007199254740993,\n    \"a\": [\n        1.10,\n        {}\n    ],\n    \"c\": \"x\\\"}, y\",\n    \"d\": null\n}"
        );
        let keys: Vec<_> =
            members(text).unwrap().into_iter().map(|(key, value)| (key, value.len())).collect();
        assert_eq!(keys, [("b", 1), ("a", 6), ("c", 1), ("d", 1)]);
    }

    #[test]
    fn what_is_no_json_is_shown_and_breaks_nothing() {
        for text in
            ["", "\"", "}}}]", "{\"a\"", "{\"a\":", "[[[", "\"\\", "測試 {x}", "{]", "{\"a\":1}}", "{1}"]
        {
            let _ = (pretty(text), members(text), redact(text, &["a".into()]));
        }
    }

    #[test]
    fn what_is_nested_by_the_thousand_stays_small() {
        assert!(pretty(&"[".repeat(10_000)).len() < 1_000_000);
    }

    #[test]
    fn hidden_fields_are_hidden_at_any_depth() {
        let text = r#"{"user":{"Password":{"a":[1,2]},"n":1},"password":"p","list":[{"PASSWORD":3}],"z":0}"#;
        assert_eq!(
            redact(text, &["password".into()]),
            r#"{"user":{"Password":"‹hidden›","n":1},"password":"‹hidden›","list":[{"PASSWORD":"‹hidden›"}],"z":0}"#
        );
    }
}
