//! `index.html`: one file with everything in it, which a browser opens without a network.
//!
//! What people read first (the overview, scenarios as they were written) is markup made here, so
//! it is there without scripts and prints. Messages are data: columns that a script unpacks when a
//! feature is opened ([`columns`]), and what is in each message in pieces that it unpacks on demand.
//! The script only ever sets text, so nothing that crossed can become markup.

mod columns;
mod difference;
mod exchange;
mod http;
mod index;
mod island;
mod markdown;
mod names;
mod overview;
mod pieces;
mod plain;
mod step;
mod strings;
mod transfer;
mod written;

use std::io::{self, BufWriter, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::{
    columns::{Columns, Counts},
    island::Packer,
    names::Names,
    pieces::{Pieces, Taking},
};
pub(super) use self::{http::without_host, island::visible};
use super::{InParts, WRITTEN_AT_ONCE, kept::Kept, sequence};
use crate::{
    run::{RunRecord, ScenarioRecord, Verdict},
    trace::Message,
};

/// What the page may weigh. Where a run is larger, the insides of messages are left out from the
/// end; `trace.ndjson` has them. The rows of the timeline and the scenarios are always there.
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

/// Messages as a page has them.
#[derive(Debug)]
pub struct Packed {
    features: Vec<OfFeature>,
}

/// Those of a feature.
#[derive(Debug)]
struct OfFeature {
    columns: String,
    counts: Counts,
    pieces: Pieces,
}

impl Packed {
    /// All messages of a record without secrets.
    #[must_use]
    pub fn of(record: &RunRecord) -> Self {
        let mut packing = Packing::of(record);
        for it in &record.features {
            packing.feature(&it.scenarios, it.messages.len(), it.messages.iter());
        }
        packing.packed
    }
}

/// Packs messages while they go by.
pub(super) struct Packing {
    packer: Packer,
    shortens: bool,
    pub(super) packed: Packed,
}

impl Packing {
    /// None yet of this run.
    pub(super) fn of(record: &RunRecord) -> Self {
        let messages = record.features.iter().flat_map(|it| &it.messages);
        Self {
            packer: Packer::new(record.features.iter().map(|it| it.messages.len()).sum()),
            shortens: pieces::shortens(messages),
            packed: Packed {
                features: Vec::with_capacity(record.features.len()),
            },
        }
    }

    /// The messages of the next feature, each looked at once.
    pub(super) fn feature<'a>(
        &mut self,
        scenarios: &'a [ScenarioRecord],
        count: usize,
        messages: impl Iterator<Item = &'a Message>,
    ) {
        let mut contents = Taking::new(scenarios, self.shortens, &mut self.packer);
        let columns = Columns::of(scenarios, count, messages, &mut contents);
        let pieces = contents.end();
        let (columns, counts) = columns.packed(&mut self.packer);
        self.packed.features.push(OfFeature {
            columns,
            counts,
            pieces,
        });
    }
}

/// Writes the page of a run.
///
/// # Errors
/// What `out` says.
pub fn write_page(kept: &Kept<'_>, packed: &Packed, out: impl Write) -> io::Result<()> {
    let mut out = Counting::of(out);
    let names = names::names(&kept.run);
    let frame = frame(&overview::title(kept)).into_string();
    let (before, after) = frame.split_once(INSIDE).unwrap_or((&frame, ""));
    out.write_all(before.as_bytes())?;
    let overview = overview::overview(kept, &names, packed);
    out.write_all(island::visible(&overview.0).as_bytes())?;
    out.write_all(html! { main #feature-view hidden {} }.0.as_bytes())?;
    for (number, names) in names.iter().enumerate() {
        let template = template(kept, number, names);
        out.write_all(island::visible(&template.0).as_bytes())?;
    }
    let index = index::index(kept, &names, packed);
    element(&mut out, "application/json", "index", &island::text(&index))?;
    for (number, feature) in packed.features.iter().enumerate() {
        if !feature.columns.is_empty() {
            element(
                &mut out,
                PACKED,
                &format!("columns-{number}"),
                &feature.columns,
            )?;
        }
    }
    let mut pieces: Vec<(bool, usize, usize, &str)> = Vec::new();
    for (number, feature) in packed.features.iter().enumerate() {
        for (nth, (matters, piece)) in feature.pieces.packed.iter().enumerate() {
            pieces.push((!matters, number, nth, piece));
        }
    }
    // Those of failed scenarios first.
    pieces.sort_unstable();
    let mut room = MAX_PAGE_BYTES.saturating_sub(out.bytes + after.len());
    for (_, number, nth, piece) in pieces {
        // A later one may be smaller, but gaps would puzzle more than an end does.
        let Some(left) = room.checked_sub(piece.len()) else {
            break;
        };
        room = left;
        element(&mut out, PACKED, &format!("piece-{number}-{nth}"), piece)?;
    }
    out.write_all(after.as_bytes())?;
    out.flush()
}

/// What a browser does not run, as it is: nothing in it may end it ([`island::text`]; Base64 does
/// not).
fn element(out: &mut impl Write, kind: &str, id: &str, content: &str) -> io::Result<()> {
    write!(
        out,
        "<script type=\"{kind}\" id=\"{id}\">{content}</script>"
    )
}

const PACKED: &str = "application/octet-stream";
/// Where in the frame everything else is.
const INSIDE: &str = "<!-- inside -->";

fn frame(title: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-view="overview" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (PreEscaped(INSIDE))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// Counts what is written, and gathers it.
struct Counting<W: Write> {
    out: BufWriter<InParts<W>>,
    bytes: usize,
}

impl<W: Write> Counting<W> {
    fn of(out: W) -> Self {
        Self {
            out: BufWriter::with_capacity(WRITTEN_AT_ONCE, InParts(out)),
            bytes: 0,
        }
    }
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
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
