//! What this is, and whether its clocks agree.

use axum::response::Response;
use maud::html;

use super::frame::{Page, Section};
use super::part;
use crate::ctx::Ctx;
use crate::refusal::Result;

pub(crate) async fn show(ctx: Ctx) -> Result<Response> {
    let glance = ctx.glance().await?;
    let storage = ctx.read().storage().await?;
    let text = ctx.text;
    let content = html! {
        h1 { (text.about()) }
        section .panel {
            dl .facts {
                dt { (text.product()) } dd { (env!("CARGO_PKG_VERSION")) }
                dt { (text.storage()) } dd { (storage.product) }
                dt { (text.place()) } dd { code { (storage.place) } }
                dt { (text.schema()) } dd { (storage.schema_version) }
                @if let Some(bytes) = storage.size_bytes {
                    dt { (text.size()) } dd { (crate::time::grouped(bytes.div_ceil(1 << 20))) " MiB" }
                }
                dt { (text.storage_clock()) } dd { (part::exactly(glance.now)) }
                dt { (text.clock_skew()) }
                dd {
                    (part::length(text, glance.skew()))
                    @if glance.clocks_disagree() { " " span .mark .warm { (text.clocks_disagree()) } }
                }
                dt { (text.servers()) } dd { (text.count_servers(glance.overview.servers.len())) }
                dt { (text.your_rights()) }
                dd {
                    ul .tags {
                        @for right in crate::Permission::ALL {
                            @if ctx.can(*right) { li { code { (right) } } }
                        }
                    }
                }
            }
        }
        section .panel { h2 { (text.license()) } p { (text.license_words()) } }
    };
    Ok(Page::new(text.about(), content).section(Section::About).respond(&ctx))
}
