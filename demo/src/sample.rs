//! The sample: 10,000 users from a seed, some of them wrong on purpose.

use std::fmt::Write;

/// Rows in the sample, without its header.
pub const ROWS: u32 = 10_000;

const GIVEN: [&str; 12] =
    ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Linus", "雅婷", "志明", "淑芬", "家豪", "怡君", "俊傑"];
const FAMILY: [&str; 10] =
    ["Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "陳", "林", "黃", "張", "O'Neill, Jr."];
const DOMAINS: [&str; 6] =
    ["example.com", "example.org", "example.net", "mail.example.com", "school.example", "shop.example"];

/// The sample as CSV. The same at every call.
pub fn csv() -> String {
    rows(ROWS)
}

/// The beginning of the sample, or more than it, as CSV. Every hundredth row is wrong.
pub fn rows(count: u32) -> String {
    let mut text = String::from("display name,email\r\n");
    for n in 1..=count {
        row(&mut text, n);
    }
    text
}

/// How many of the first `count` rows are wrong.
pub const fn wrong_rows(count: u32) -> u32 {
    count / 100
}

fn row(text: &mut String, n: u32) {
    let pick = |from: &[&'static str], step: u32| from[(n.wrapping_mul(step) >> 3) as usize % from.len()];
    let (given, family, domain) = (pick(&GIVEN, 7), pick(&FAMILY, 13), pick(&DOMAINS, 29));
    let written = match (n % 100, n / 100 % 4) {
        (0, 0) => writeln!(text, "{given},not an address\r"),
        (0, 1) => writeln!(text, ",user{n}@{domain}\r"),
        (0, 2) => writeln!(text, "only a name\r"),
        (0, _) => writeln!(text, "=cmd({n}),user{n}@\r"),
        _ => writeln!(text, "\"{given} {family}\",user{n}@{domain}\r"),
    };
    written.expect("writing to a string does not fail");
}
