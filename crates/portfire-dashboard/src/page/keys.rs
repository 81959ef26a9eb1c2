//! The keys that a script listens to, and the sheet that lists them.
//!
//! Each is a single letter, so they can be turned off, on the sheet itself, which a button opens too.

use maud::{Markup, html};

use super::frame::Section;
use crate::messages::Text;

/// The letter after `g` that leads to a place.
pub(crate) const fn of(place: Section) -> &'static str {
    match place {
        Section::Overview => "o",
        Section::Jobs => "j",
        Section::Retries => "r",
        Section::Failed => "f",
        Section::Recurring => "c",
        Section::Queues => "q",
        Section::Servers => "s",
        Section::Audit => "a",
        Section::About => "i",
    }
}

/// The sheet, closed until a script opens it.
pub(crate) fn sheet(text: Text) -> Markup {
    let keys = [
        (&["?"][..], text.key_help()),
        (&["/"], text.key_find()),
        (&["j", "k"], text.key_rows()),
        (&["x"], text.key_select()),
        (&["n"], text.key_next()),
        (&["p"], text.key_previous()),
        (&["."], text.key_live()),
    ];
    let places = [
        (Section::Overview, text.overview()),
        (Section::Jobs, text.jobs()),
        (Section::Retries, text.retries()),
        (Section::Failed, text.failed_jobs()),
        (Section::Recurring, text.recurring()),
        (Section::Queues, text.queues()),
        (Section::Servers, text.servers()),
        (Section::Audit, text.audit()),
        (Section::About, text.about()),
    ];
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { (text.keyboard()) }
            p { label { input #keys-on type="checkbox" checked; " " (text.keys_on()) } }
            dl {
                @for (all, what) in keys {
                    div { dt { @for key in all { kbd { (key) } " " } } dd { (what) } }
                }
                @for (place, name) in places {
                    div { dt { kbd { "g" } " " kbd { (of(place)) } } dd { (text.key_go(name)) } }
                }
            }
            button type="button" data-close { (text.close()) }
        }
    }
}
