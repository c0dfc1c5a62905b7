//! A scenario as a sequence diagram: who told whom what, what repeats folded.

mod fold;
mod mermaid;
mod svg;

use std::collections::HashSet;

pub use self::{
    mermaid::mermaid,
    svg::{standalone, svg},
};

use super::{html::without_host, kept::Kept};
use crate::{
    run::{ScenarioRecord, Verdict},
    trace::{Datagram, Kind, Lane, Message, Outcome},
};

/// Arrows, loops and steps of a diagram at most; in the middle it leaves out the rest.
const MAX_ITEMS: usize = 90;
/// Of them, how many at the beginning.
const ITEMS_BEFORE: usize = 30;
/// Messages of a scenario that are looked at: those in the middle of more are left out.
const MAX_MESSAGES: usize = 10_000;
/// Devices that have a lane of their own; more are one fleet.
const MAX_DEVICES: usize = 4;
/// Characters of a label at most.
const MAX_LABEL: usize = 90;

/// A diagram.
#[derive(Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The scenario's title.
    pub title: String,
    /// Who takes part, from left to right.
    pub lanes: Vec<String>,
    /// From top to bottom.
    pub items: Vec<Item>,
}

/// A row of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A step begins.
    Step {
        /// Its sentence.
        text: String,
        /// How it ended.
        verdict: Verdict,
    },
    /// A message.
    Arrow(Arrow),
    /// The same messages again and again.
    Loop {
        /// How often.
        times: usize,
        /// The messages.
        arrows: Vec<Arrow>,
    },
    /// So many rows are left out here.
    LeftOut(usize),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Lane of the sender.
    pub from: usize,
    /// Lane of the receiver; the sender's own for what happens to a connection.
    pub to: usize,
    /// What it says.
    pub label: String,
    /// Milliseconds after the first message of the scenario.
    pub after: i64,
    /// It answers a request.
    pub answer: bool,
    /// It never arrived.
    pub lost: bool,
    /// It was sent before.
    pub again: bool,
}

/// The diagram of a scenario; nothing where no message crossed.
#[must_use]
pub fn of_scenario(kept: &Kept<'_>, feature: usize, scenario: usize) -> Option<Sequence> {
    let record = kept.run.features.get(feature)?.scenarios.get(scenario)?;
    let mut messages: Vec<&Message> = kept
        .messages(feature)
        .iter()
        .filter(|it| {
            it.step
                .as_ref()
                .is_some_and(|it| *it.scenario == *record.id)
        })
        .collect();
    let began = messages.first()?.at;
    let devices: HashSet<&str, foldhash::fast::FixedState> = messages
        .iter()
        .filter_map(|it| it.air.as_ref())
        .map(|it| &*it.device)
        .collect();
    let left_out = messages.len().saturating_sub(MAX_MESSAGES);
    let gap = (left_out > 0).then_some(MAX_MESSAGES / 2);
    if let Some(gap) = gap {
        messages.drain(gap..gap + left_out);
    }
    let mut parts: Vec<Part<'_>> = messages.iter().map(|it| Part::of(it)).collect();
    let lanes = lanes(&parts, devices.len());
    if lanes.pools {
        parts.iter_mut().for_each(Part::pool);
    }
    let mut items = Vec::new();
    let mut at = 0;
    let mut before = None;
    while at < parts.len() {
        let step = messages[at].step.as_ref().map(|it| it.line);
        if gap == Some(at) {
            items.push(Item::LeftOut(left_out));
        }
        let of_step = messages[at..].iter();
        let of_step = of_step.take_while(|it| it.step.as_ref().map(|it| it.line) == step);
        let mut end = at + of_step.count();
        if let Some(gap) = gap.filter(|it| (at + 1..end).contains(it)) {
            end = gap;
        }
        let begins = before.replace(step) != Some(step);
        items.extend(step.filter(|_| begins).and_then(|it| step_item(record, it)));
        let arrows = parts[at..end].iter().zip(&messages[at..end]);
        let arrows: Vec<(Arrow, String)> = arrows
            .map(|(part, it)| {
                (
                    part.arrow(&lanes, it.at.saturating_sub(began)),
                    part.signature(it),
                )
            })
            .collect();
        items.extend(fold::fold(arrows));
        at = end;
    }
    Some(Sequence {
        title: record.title.clone(),
        lanes: lanes.names,
        items: shortened(items),
    })
}

fn step_item(record: &ScenarioRecord, line: usize) -> Option<Item> {
    let step = record.steps.iter().find(|it| it.line == line)?;
    Some(Item::Step {
        text: label(&format!("{} {}", step.keyword, step.title)),
        verdict: step.verdict,
    })
}

fn shortened(mut items: Vec<Item>) -> Vec<Item> {
    let Some(more) = items.len().checked_sub(MAX_ITEMS).filter(|it| *it > 0) else {
        return items;
    };
    let cut = ITEMS_BEFORE..ITEMS_BEFORE + more;
    let count = items[cut.clone()].iter().map(|it| match it {
        Item::LeftOut(count) => *count,
        _ => 1,
    });
    let count = count.sum();
    items.splice(cut, [Item::LeftOut(count)]);
    items
}

/// Who can take part, from left to right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Operator,
    Browser,
    Server,
    Upstream,
    Device(String),
}

/// A message with its ends.
struct Part<'a> {
    from: Who,
    to: Who,
    kind: Kind,
    air: Option<&'a Datagram>,
    label: String,
}

impl<'a> Part<'a> {
    fn of(message: &'a Message) -> Self {
        let air = message.air.as_deref();
        let asks = message.kind == Kind::Request;
        let (other, inward) = match (message.lane, air) {
            (_, Some(air)) => (Who::Device(air.device.to_string()), air.up),
            (Lane::Rest, _) => (Who::Operator, asks),
            (Lane::Websocket, _) => (Who::Browser, asks),
            (Lane::Upstream, _) => (Who::Upstream, !asks),
            (Lane::Air, None) => (Who::Device("air".to_owned()), asks),
        };
        let stays = message.kind == Kind::Connection && air.is_none();
        let (from, to) = match (stays, inward) {
            (true, _) => (other.clone(), other),
            (false, true) => (other, Who::Server),
            (false, false) => (Who::Server, other),
        };
        Self {
            from,
            to,
            kind: message.kind,
            label: label(&said(message)),
            air,
        }
    }

    /// As one of a fleet it is like what others of it say: whose message it is does not matter.
    fn pool(&mut self) {
        for end in [&mut self.from, &mut self.to] {
            if let Who::Device(name) = end {
                name.clear();
            }
        }
        if self.air.is_some() {
            let words = self.label.split(' ');
            let words = words.take_while(|it| !it.contains(':') && !it.starts_with('['));
            let words = words.map(|it| it.split('?').next().unwrap_or_default());
            self.label = words.collect::<Vec<_>>().join(" ");
        }
    }

    fn arrow(&self, lanes: &Lanes, after: i64) -> Arrow {
        Arrow {
            from: lanes.index(&self.from),
            to: lanes.index(&self.to),
            label: self.label.clone(),
            after,
            answer: self.kind == Kind::Answer,
            lost: self
                .air
                .as_ref()
                .is_some_and(|it| it.outcome == Outcome::Lost),
            again: self.air.as_ref().is_some_and(|it| it.retransmission),
        }
    }

    /// What makes two messages the same for a reader: of a block, not its number.
    fn signature(&self, message: &Message) -> String {
        let words = self.label.split(' ');
        let words = words.filter(|it| !it.starts_with("Block") && !it.starts_with("Observe:"));
        let words: Vec<&str> = words.collect();
        let fate = self.air.map_or("", |it| it.outcome.name());
        format!(
            "{:?}>{:?} {} {fate} {}",
            self.from,
            self.to,
            message.kind as u8,
            words.join(" ")
        )
    }
}

/// Of an answer over HTTP its status is enough: the request stands above it.
fn said(message: &Message) -> String {
    let text = without_host(&message.summary);
    let over_http = matches!(message.lane, Lane::Rest | Lane::Upstream);
    match (
        over_http && message.kind == Kind::Answer,
        text.split_once(' '),
    ) {
        (true, Some((status, rest))) => match rest.split_once(" (") {
            Some((_, note)) => format!("{status} ({note}"),
            None => status.to_owned(),
        },
        _ => text.into_owned(),
    }
}

/// On one line, without what would not print, and not too long.
fn label(text: &str) -> String {
    let plain = |it: char| if it.is_control() { ' ' } else { it };
    let mut label: String = text.chars().take(MAX_LABEL).map(plain).collect();
    if text.chars().nth(MAX_LABEL).is_some() {
        label.push('…');
    }
    label
}

struct Lanes {
    who: Vec<Who>,
    names: Vec<String>,
    /// All devices are in one.
    pools: bool,
}

impl Lanes {
    fn index(&self, who: &Who) -> usize {
        let at = self.who.iter().position(|it| it == who);
        // A device without a lane of its own is in the last one.
        at.unwrap_or(self.names.len().saturating_sub(1))
    }
}

/// Of these parts, and at least so many devices.
fn lanes(parts: &[Part<'_>], devices: usize) -> Lanes {
    let mut who: Vec<Who> = vec![Who::Server];
    who.extend(parts.iter().flat_map(|it| [it.from.clone(), it.to.clone()]));
    who.sort();
    who.dedup();
    let is_device = |it: &Who| matches!(it, Who::Device(_));
    let devices = devices.max(who.iter().filter(|it| is_device(it)).count());
    let mut names: Vec<String> = who
        .iter()
        .filter(|it| devices <= MAX_DEVICES || !is_device(it))
        .map(|it| match it {
            Who::Operator => "operator".to_owned(),
            Who::Browser => "websocket".to_owned(),
            Who::Server => "server".to_owned(),
            Who::Upstream => "cloud".to_owned(),
            Who::Device(name) => label(name),
        })
        .collect();
    let pools = devices > MAX_DEVICES;
    if pools {
        who.retain(|it| !is_device(it));
        names.push(format!("{devices} devices"));
    }
    Lanes { who, names, pools }
}
