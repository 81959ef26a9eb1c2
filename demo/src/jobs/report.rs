//! Makes a report of the users: a page with charts, and the same numbers as CSV.

use maud::{DOCTYPE, Markup, html};
use portfire::prelude::*;

use crate::csv_rows::harmless_cell;
use crate::database::{Database, UserCount};
use crate::files::{DataDir, write_atomically};

const BAR_HEIGHT: usize = 26;
const LABEL_WIDTH: i64 = 200;
const BAR_WIDTH_MAX: i64 = 420;

/// Makes the report with this number, in place of an older one.
#[job(queue = "reports", attempts = 3)]
pub async fn generate_report(
    #[from] database: &Database,
    #[from] data: &DataDir,
    report_id: i64,
) -> Result<(), JobError> {
    let mut days = database.users_per_day().await?;
    days.reverse();
    let domains = database.users_per_domain().await?;
    write_atomically(&data.report(report_id, "csv"), &csv_of(&days, &domains)?).await?;
    // The page comes last: who sees it finds the CSV as well.
    let page = page(report_id, &days, &domains).into_string();
    write_atomically(&data.report(report_id, "html"), page.as_bytes()).await?;
    Ok(())
}

fn csv_of(days: &[UserCount], domains: &[UserCount]) -> Result<Vec<u8>, JobError> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["by", "label", "users"])?;
    for (by, counts) in [("day", days), ("domain", domains)] {
        for count in counts {
            csv.write_record([by, &harmless_cell(&count.label), &count.users.to_string()])?;
        }
    }
    csv.into_inner().map_err(JobError::message)
}

fn page(id: i64, days: &[UserCount], domains: &[UserCount]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Report " (id) }
                style { "body{font:16px system-ui;margin:2rem auto;max-width:44rem;padding:0 1rem}rect{fill:#c2410c}text{font-size:13px;fill:currentColor}" }
            }
            body {
                h1 { "Report " (id) }
                h2 { "Users per day" }
                (chart("Users per day", days))
                h2 { "Users per mail domain" }
                (chart("Users per mail domain", domains))
                p { a href={ "/api/reports/" (id) "/csv" } { "The same as CSV" } }
            }
        }
    }
}

/// A bar chart as inline SVG: one bar a line, its label before and its number behind it.
fn chart(title: &str, counts: &[UserCount]) -> Markup {
    let most = counts.iter().map(|count| count.users).max().unwrap_or(0).max(1);
    let width = |users: i64| (users * BAR_WIDTH_MAX / most).max(1);
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(title)
            width="100%" viewBox={ "0 0 700 " (counts.len() * BAR_HEIGHT) } {
            @for (line, count) in counts.iter().enumerate() {
                text x=(LABEL_WIDTH - 8) y=(line * BAR_HEIGHT + 17) text-anchor="end" { (shortened(&count.label)) }
                rect x=(LABEL_WIDTH) y=(line * BAR_HEIGHT + 3) width=(width(count.users)) height="18" rx="3" {}
                text x=(LABEL_WIDTH + width(count.users) + 6) y=(line * BAR_HEIGHT + 17) { (count.users) }
            }
        }
    }
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= 28 { label.into() } else { label.chars().take(27).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_in_the_page_and_harmless_in_the_csv() {
        let counts = [UserCount { label: "=<b>.org".into(), users: 3 }];
        let page = page(1, &counts, &counts).into_string();
        assert!(page.contains("=&lt;b&gt;.org") && !page.contains("<b>"));
        let csv = String::from_utf8(csv_of(&[], &counts).unwrap()).unwrap();
        assert_eq!(csv, "by,label,users\ndomain,'=<b>.org,3\n");
    }
}
