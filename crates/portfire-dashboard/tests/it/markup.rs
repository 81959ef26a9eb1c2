//! HTML, read strictly enough to see what does not belong there: an element or an attribute that our pages never
//! have can only have come out of data.

/// An element as it stands in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Element {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

const ELEMENTS: &[&str] = &[
    "!doctype", "a", "body", "br", "button", "caption", "code", "datalist", "dd", "details", "dialog", "div",
    "dl", "dt", "footer", "form", "g", "h1", "h2", "h3", "head", "header", "html", "input", "kbd", "label",
    "li", "line", "link", "main", "mark", "meta", "nav", "ol", "option", "p", "path", "polyline", "pre",
    "progress", "rect", "script", "section", "select", "small", "span", "strong", "summary", "svg", "table",
    "tbody", "td", "th", "thead", "time", "title", "tr", "ul",
];
const ATTRIBUTES: &[&str] = &[
    "action",
    "autocomplete",
    "charset",
    "checked",
    "class",
    "content",
    "d",
    "datetime",
    "enterkeyhint",
    "for",
    "formaction",
    "height",
    "hidden",
    "href",
    "html",
    "http-equiv",
    "id",
    "lang",
    "list",
    "max",
    "maxlength",
    "method",
    "min",
    "name",
    "open",
    "placeholder",
    "points",
    "preserveaspectratio",
    "rel",
    "required",
    "role",
    "rx",
    "scope",
    "spellcheck",
    "src",
    "step",
    "tabindex",
    "title",
    "type",
    "value",
    "viewbox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

/// Every element that is opened in a page.
///
/// # Panics
/// If something is not as our templates write it: an unknown element or attribute, a script with content, a value
/// without quotes, a link to somewhere else.
pub fn elements(html: &str) -> Vec<Element> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(closed) = rest.strip_prefix('/') {
            rest = closed;
            continue;
        }
        let (element, after) = element(rest);
        check(&element);
        if element.name == "script" {
            assert!(
                after.starts_with("</script>"),
                "a script has content: {}",
                &after[..after.len().min(80)]
            );
        }
        found.push(element);
        rest = after;
    }
    found
}

fn element(text: &str) -> (Element, &str) {
    let end = text.find(|c: char| c.is_whitespace() || c == '>').expect("an element ends");
    let name = text[..end].to_lowercase();
    let mut attributes = Vec::new();
    let mut rest = text[end..].trim_start();
    while !rest.starts_with('>') {
        let end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').expect("an attribute ends");
        let name = rest[..end].to_lowercase();
        rest = &rest[end..];
        let mut value = "";
        if let Some(given) = rest.strip_prefix('=') {
            let quoted =
                given.strip_prefix('"').unwrap_or_else(|| panic!("`{name}` has no quotes: {}", &given[..20]));
            let end = quoted.find('"').expect("a quote is closed");
            value = &quoted[..end];
            rest = &quoted[end + 1..];
        }
        attributes.push((name, value.to_owned()));
        rest = rest.trim_start();
    }
    (Element { name, attributes }, &rest[1..])
}

fn check(element: &Element) {
    assert!(ELEMENTS.contains(&&*element.name), "an element that no page has: {element:?}");
    for (name, value) in &element.attributes {
        let ours = ATTRIBUTES.contains(&&**name) || name.starts_with("data-") || name.starts_with("aria-");
        assert!(ours, "an attribute that no page has: {name} in {element:?}");
        let leads = ["href", "src", "action", "formaction"].contains(&&**name);
        assert!(
            !leads || value.starts_with('/') && !value.starts_with("//") || value == "#main",
            "leads away: {element:?}"
        );
    }
}

/// The text with the few entities that our templates write resolved.
pub fn plain(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[test]
#[should_panic(expected = "an attribute that no page has: onerror")]
fn an_attribute_out_of_data_is_seen() {
    elements("<p><a href=\"/\" onerror=\"x\">a</a></p>");
}

#[test]
#[should_panic(expected = "a script has content")]
fn a_script_out_of_data_is_seen() {
    elements("<p><script>alert(1)</script></p>");
}

#[test]
#[should_panic(expected = "leads away")]
fn a_link_out_of_the_dashboard_is_seen() {
    elements("<a href=\"javascript:alert(1)\">a</a>");
}
