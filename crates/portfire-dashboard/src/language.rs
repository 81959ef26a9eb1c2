//! Which language a visitor reads: `?lang=`, then their cookie, then what the host says, then what their
//! browser asks for, then English.

use portfire_core::Language;

/// The tag that a page, a link and a cookie carry.
pub(crate) const fn tag(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::TraditionalChinese => "zh-Hant-TW",
    }
}

/// The language of a tag as people and browsers write it. Simplified Chinese is not among ours: a reader of
/// it is better served by their browser's next choice.
pub(crate) fn of_tag(tag: &str) -> Option<Language> {
    let tag = tag.trim().to_ascii_lowercase();
    let mut parts = tag.split(['-', '_']);
    match parts.next() {
        Some("en") => Some(Language::English),
        Some("zh") => {
            let rest: Vec<_> = parts.collect();
            let simplified = rest.contains(&"hans");
            let elsewhere = (rest.contains(&"cn") || rest.contains(&"sg")) && !rest.contains(&"hant");
            (!simplified && !elsewhere).then_some(Language::TraditionalChinese)
        }
        _ => None,
    }
}

/// The first of ours that an `Accept-Language` header ranks highest.
pub(crate) fn negotiate(header: &str) -> Option<Language> {
    let mut best = None;
    for part in header.split(',').take(32) {
        let mut pieces = part.split(';');
        let Some(language) = of_tag(pieces.next().unwrap_or_default()) else { continue };
        let weight =
            pieces.find_map(|piece| piece.trim().strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        if weight > 0.0 && best.is_none_or(|(_, known)| weight > known) {
            best = Some((language, weight));
        }
    }
    best.map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::negotiate;
    use portfire_core::Language::{English, TraditionalChinese};

    #[test]
    fn the_browser_is_heard() {
        for (header, language) in [
            ("", None),
            ("fr", None),
            ("en-US,en;q=0.9", Some(English)),
            ("zh-TW,zh;q=0.9,en;q=0.8", Some(TraditionalChinese)),
            ("zh-HK", Some(TraditionalChinese)),
            ("zh-Hant-CN", Some(TraditionalChinese)),
            ("zh-CN,zh-Hans;q=0.9,en;q=0.5", Some(English)),
            ("fr, en;q=0.3, zh;q=0.5", Some(TraditionalChinese)),
            ("en;q=0, zh;q=nonsense", Some(TraditionalChinese)),
            ("en;q=NaN", None),
        ] {
            assert_eq!(negotiate(header), language, "{header}");
        }
    }
}
