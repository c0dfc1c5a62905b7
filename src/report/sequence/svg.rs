//! As SVG: in a page it takes the page's colours, alone it has its own.

use maud::{Markup, PreEscaped, html};

use super::{Arrow, Item, Sequence};
use crate::run::Verdict;

/// Between two lanes, where there are few or many.
const WIDE_LANE: usize = 330;
const NARROW_LANE: usize = 210;
/// So many lanes are few.
const FEW_LANES: usize = 3;
/// Left and right of the outer lanes.
const SIDE: usize = 120;
const HEAD: usize = 44;
const ROW: usize = 34;
/// Width of a character, near enough.
const CHARACTER: usize = 7;

/// For a page, whose colour and background it takes.
#[must_use]
pub fn svg(sequence: &Sequence) -> Markup {
    drawing(sequence, false)
}

/// For a file of its own.
#[must_use]
pub fn standalone(sequence: &Sequence) -> String {
    drawing(sequence, true).into_string()
}

fn drawing(sequence: &Sequence, alone: bool) -> Markup {
    let grid = Grid::of(sequence.lanes.len());
    let width = grid.width;
    let rows: usize = sequence.items.iter().map(rows).sum();
    let height = 2 * HEAD + ROW * rows;
    let mut y = HEAD + ROW / 2;
    let mut items = Vec::new();
    for item in &sequence.items {
        items.push(self::item(item, y, grid));
        y += ROW * self::rows(item);
    }
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height)
            font-family="ui-monospace, 'SF Mono', Menlo, Consolas, monospace" font-size="12" role="img"
            aria-label={ "Sequence diagram: " (sequence.title) }
            color=[alone.then_some("#1f2328")] {
            @if alone { rect width="100%" height="100%" fill="#ffffff" {} }
            @for (number, lane) in sequence.lanes.iter().enumerate() {
                (self::lane(lane, grid.x(number), height))
            }
            @for item in items { (item) }
        }
    }
}

fn rows(item: &Item) -> usize {
    match item {
        Item::Loop { arrows, .. } => arrows.len() + 1,
        Item::Step { .. } | Item::Arrow(_) | Item::LeftOut(_) => 1,
    }
}

/// Where the lanes are.
#[derive(Clone, Copy)]
struct Grid {
    lane: usize,
    width: usize,
}

impl Grid {
    fn of(lanes: usize) -> Self {
        let lane = if lanes <= FEW_LANES {
            WIDE_LANE
        } else {
            NARROW_LANE
        };
        Self {
            lane,
            width: 2 * SIDE + lane * lanes.saturating_sub(1),
        }
    }

    const fn x(self, lane: usize) -> usize {
        SIDE + self.lane * lane
    }
}

fn lane(name: &str, x: usize, height: usize) -> Markup {
    html! {
        line x1=(x) x2=(x) y1=(HEAD - 8) y2=(height - HEAD + 8) stroke="currentColor" stroke-opacity=".35" {}
        @for y in [22, height - 14] {
            text x=(x) y=(y) text-anchor="middle" fill="currentColor" font-weight="600" { (fitting(name, 200)) }
        }
    }
}

fn item(item: &Item, y: usize, grid: Grid) -> Markup {
    let width = grid.width;
    html! {
        @match item {
            Item::Step { text, verdict } => (band(text, *verdict, y, width)),
            Item::Arrow(arrow) => (self::arrow(arrow, y, grid)),
            Item::Loop { times, arrows } => {
                rect x="8" y=(y - 12) width=(width - 16) height=(ROW * arrows.len() + 22) rx="6"
                    fill="none" stroke="currentColor" stroke-opacity=".4" stroke-dasharray="4 3" {}
                text x="18" y=(y + 6) fill="currentColor" font-weight="600" { "× " (times) }
                @for (nth, arrow) in arrows.iter().enumerate() { (self::arrow(arrow, y + ROW * (nth + 1) - 6, grid)) }
            }
            Item::LeftOut(count) => {
                text x=(width / 2) y=(y + 6) text-anchor="middle" fill="currentColor" fill-opacity=".7" { "… " (count) " more …" }
            }
        }
    }
}

fn band(text: &str, verdict: Verdict, y: usize, width: usize) -> Markup {
    let (colour, sign) = match verdict {
        Verdict::Passed => ("#1a7f37", "✓"),
        Verdict::Failed => ("#cf222e", "✗"),
        Verdict::Skipped => ("#6e7781", "–"),
        Verdict::Interrupted => ("#9a6700", "!"),
    };
    html! {
        rect x="8" y=(y - 11) width=(width - 16) height="22" rx="4" fill=(colour) fill-opacity=".14" {}
        text x="18" y=(y + 4) fill="currentColor" { tspan fill=(colour) font-weight="600" { (sign) } " " (fitting(text, width - 60)) }
    }
}

fn arrow(arrow: &Arrow, y: usize, grid: Grid) -> Markup {
    let (from, to) = (grid.x(arrow.from), grid.x(arrow.to));
    if from == to {
        return html! {
            circle cx=(from) cy=(y) r="3" fill="currentColor" {}
            text x=(from + 8) y=(y + 4) fill="currentColor" { (fitting(&arrow.label, NARROW_LANE)) }
        };
    }
    let right = to > from;
    // What is lost ends on the way.
    let end = match (arrow.lost, right) {
        (false, _) => to,
        (true, true) => from + (to - from) * 2 / 3,
        (true, false) => from - (from - to) * 2 / 3,
    };
    let dash = match (arrow.answer, arrow.again) {
        (_, true) => Some("2 3"),
        (true, false) => Some("6 3"),
        (false, false) => None,
    };
    let back = if right { end - 8 } else { end + 8 };
    let middle = (from + to) / 2;
    let again = if arrow.again { "↻ " } else { "" };
    html! {
        line x1=(from) x2=(end) y1=(y + 4) y2=(y + 4) stroke="currentColor" stroke-width="1.3" stroke-dasharray=[dash] {}
        @if arrow.lost {
            path d={ "M" (end - 5) " " (y - 1) " l10 10 m0 -10 l-10 10" } stroke="#cf222e" stroke-width="2" {}
        } @else {
            path d={ "M" (end) " " (y + 4) " L" (back) " " (y) " V" (y + 8) " Z" } fill="currentColor" {}
        }
        text x=(middle) y=(y - 2) text-anchor="middle" fill="currentColor" {
            (again) (fitting(&arrow.label, from.abs_diff(to) - 10))
        }
        (time(arrow, from, right, y))
    }
}

/// When it was sent, beside its beginning.
fn time(arrow: &Arrow, from: usize, right: bool, y: usize) -> Markup {
    let (x, anchor) = match right {
        true => (from - 5, "end"),
        false => (from + 5, "start"),
    };
    let time = format!("{}.{:03}", arrow.after / 1000, arrow.after % 1000);
    html! {
        text x=(x) y=(y + 8) text-anchor=(anchor) font-size="10" fill="currentColor" fill-opacity=".6" { (time) }
    }
}

/// As much of the text as fits.
fn fitting(text: &str, width: usize) -> PreEscaped<String> {
    let room = width / CHARACTER;
    let mut shown: String = text.chars().take(room.max(1)).collect();
    if text.chars().nth(room).is_some() {
        shown.pop();
        shown.push('…');
    }
    html! { (shown) }
}
