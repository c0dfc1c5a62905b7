//! `index.html`: one file with everything in it, which a browser opens without a network.
//!
//! What people read first (the overview, scenarios as they were written) is markup made here, so
//! it is there without scripts and prints. Messages are data: columns that a script unpacks when a
//! feature is opened ([`columns`]), and what is in each message in pieces that it unpacks on demand.
//! The script only ever sets text, so nothing that crossed can become markup.

mod columns;
mod difference;
mod exchange;
mod index;
mod island;
mod markdown;
mod names;
mod overview;
mod pieces;
mod plain;
mod step;
mod transfer;
mod written;

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

pub(super) use self::columns::without_host;
use self::{columns::Columns, island::Packer, names::Names, pieces::Pieces};
use super::{kept::Kept, sequence};
use crate::run::Verdict;

/// What the page may weigh. Where a run is larger, the insides of messages are left out from the
/// end; `trace.ndjson` has them.
pub const MAX_PAGE_BYTES: usize = 19_000_000;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = concat!(
    "'use strict';(()=>{\n",
    include_str!("script/elements.js"),
    include_str!("script/messages.js"),
    include_str!("script/rows.js"),
    include_str!("script/timeline.js"),
    include_str!("script/message.js"),
    include_str!("script/overview.js"),
    include_str!("script/page.js"),
    "})();"
);

/// The page of a run.
#[must_use]
pub fn page(kept: &Kept<'_>) -> String {
    let names = names::names(&kept.run);
    let features = 0..kept.run.features.len();
    let columns: Vec<Columns> = features
        .map(|it| Columns::of(&kept.run.features[it], kept.messages(it)))
        .collect();
    let details = kept.lines().iter().map(|it| it.detail.len());
    let mut packer = Packer::new(details.sum());
    let packed: Vec<String> = columns
        .iter()
        .map(|it| packed_columns(it, &mut packer))
        .collect();
    let shown = |markup: Markup| match island::visible(&markup.0) {
        Cow::Owned(visible) => PreEscaped(visible),
        Cow::Borrowed(_) => markup,
    };
    let templates: Vec<Markup> = names
        .iter()
        .enumerate()
        .map(|(number, names)| shown(template(kept, number, names)))
        .collect();
    let overview = shown(overview::overview(kept, &names, &columns));
    let so_far = STYLE.len()
        + SCRIPT.len()
        + overview.0.len()
        + packed.iter().map(String::len).sum::<usize>()
        + templates.iter().map(|it| it.0.len()).sum::<usize>();
    let room = MAX_PAGE_BYTES.saturating_sub(so_far);
    let pieces = Pieces::of(kept, &columns, room, &mut packer);
    let index = index::index(kept, &names, &columns, &pieces);
    let page = html! {
        (DOCTYPE)
        html lang="en" data-view="overview" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (overview::title(kept)) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (overview)
                main #feature-view hidden {}
                @for template in &templates { (template) }
                script type="application/json" id="index" { (PreEscaped(island::text(&index))) }
                // Base64 has nothing to be escaped.
                @for (number, columns) in packed.iter().enumerate() {
                    @if !columns.is_empty() {
                        script type="application/octet-stream" id={ "columns-" (number) } { (PreEscaped(columns)) }
                    }
                }
                @for (id, piece) in &pieces.packed {
                    script type="application/octet-stream" id=(id) { (PreEscaped(piece)) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn packed_columns(columns: &Columns, packer: &mut Packer) -> String {
    match columns.len() {
        0 => String::new(),
        _ => packer.packed(&serde_json::to_string(columns).unwrap_or_default()),
    }
}

/// A feature, asleep until it is opened.
fn template(kept: &Kept<'_>, number: usize, names: &Names) -> Markup {
    let feature = &kept.run.features[number];
    // Of those that somebody has to understand; `fotalab report` draws any.
    let bad = |it: Verdict| matches!(it, Verdict::Failed | Verdict::Interrupted);
    let scenarios = feature.scenarios.iter().enumerate();
    let diagrams = scenarios
        .filter(|it| bad(it.1.verdict))
        .filter_map(|(nth, _)| {
            let sequence = sequence::of_scenario(kept, number, nth)?;
            Some((nth, sequence))
        });
    html! {
        template id={ "feature-" (number) } {
            article.written { (written::feature(feature, names)) }
            @for (nth, sequence) in diagrams {
                div.sequence data-scenario=(nth) {
                    (sequence::svg(&sequence))
                    textarea.mermaid readonly spellcheck="false" aria-label="Mermaid" { (sequence::mermaid(&sequence)) }
                }
            }
        }
    }
}

/// Nothing is loaded, and no script runs but ours: it is named by its hash.
fn policy() -> String {
    let hash = |text: &str| BASE64.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}
