//! What is in each message, in pieces that the page unpacks when somebody looks.

use std::borrow::Cow;

use serde_json::Value;

use super::{columns::Columns, island::Packer};
use crate::{
    report::{Kept, Line},
    run::Verdict,
};

/// A piece ends when it has this many bytes before packing.
const PIECE_BYTES: usize = 256 * 1024;
/// A piece has at most this many contents.
const PIECE_CONTENTS: usize = 2_000;
/// Above this, what is in the messages of a run is shortened: bytes of firmware do not pack.
const WHOLE_BYTES: usize = 24 * 1024 * 1024;
/// Hexadecimal digits of a payload that a shortened message keeps.
const SHORT_HEX: usize = 64;

/// All pieces.
#[derive(Debug)]
pub(super) struct Pieces {
    /// Element id and packed content.
    pub(super) packed: Vec<(String, String)>,
    /// For each feature: the first content of each piece, and where the last one ends. Pieces that
    /// found no room are in it too.
    pub(super) bounds: Vec<Vec<usize>>,
}

impl Pieces {
    /// As many as there is room for, those of failed scenarios first. What several messages have in
    /// them is there once.
    pub(super) fn of(
        kept: &Kept<'_>,
        columns: &[Columns],
        room: usize,
        packer: &mut Packer,
    ) -> Self {
        let contents: Vec<Vec<&Line<'_>>> = columns
            .iter()
            .enumerate()
            .map(|(feature, columns)| {
                let messages = kept.messages(feature);
                columns.contents.iter().map(|&it| &messages[it]).collect()
            })
            .collect();
        let all: usize = contents.iter().flatten().map(|it| it.detail.len()).sum();
        let shortens = all > WHOLE_BYTES;
        let mut pieces = Self {
            packed: Vec::new(),
            bounds: contents.iter().map(|it| bounds(it)).collect(),
        };
        let mut order: Vec<(bool, usize, usize)> = Vec::new();
        for (feature, contents) in contents.iter().enumerate() {
            let failed = failed(kept, feature);
            for (piece, range) in pieces.bounds[feature].windows(2).enumerate() {
                let matters = contents[range[0]..range[1]].iter().any(|it| {
                    let step = it.step.as_ref();
                    step.is_some_and(|it| failed.contains(&it.scenario.as_ref()))
                });
                order.push((!matters, feature, piece));
            }
        }
        order.sort_unstable();
        let mut left = room;
        let mut content = String::new();
        for (_, feature, piece) in order {
            let range = pieces.bounds[feature][piece]..pieces.bounds[feature][piece + 1];
            write(&contents[feature][range], shortens, &mut content);
            let packed = packer.packed(&content);
            let Some(rest) = left.checked_sub(packed.len()) else {
                // A later one may be smaller, but gaps would puzzle more than an end does.
                break;
            };
            left = rest;
            let id = format!("piece-{feature}-{piece}");
            pieces.packed.push((id, packed));
        }
        pieces
    }
}

fn failed<'a>(kept: &'a Kept<'_>, feature: usize) -> Vec<&'a str> {
    let scenarios = &kept.run.features[feature].scenarios;
    let failed = scenarios.iter().filter(|it| it.verdict == Verdict::Failed);
    failed.map(|it| it.id.as_str()).collect()
}

fn bounds(contents: &[&Line<'_>]) -> Vec<usize> {
    let mut bounds = vec![0];
    let mut bytes = 0;
    for (index, message) in contents.iter().enumerate() {
        let since = index - bounds.last().copied().unwrap_or(0);
        if since > 0 && (bytes >= PIECE_BYTES || since >= PIECE_CONTENTS) {
            bounds.push(index);
            bytes = 0;
        }
        bytes += message.detail.len();
    }
    if !contents.is_empty() {
        bounds.push(contents.len());
    }
    bounds
}

fn write(contents: &[&Line<'_>], shortens: bool, content: &mut String) {
    content.clear();
    content.push('[');
    for (index, message) in contents.iter().enumerate() {
        if index > 0 {
            content.push(',');
        }
        match shortens && message.lane == "air" {
            true => content.push_str(&shortened(&message.detail)),
            false => content.push_str(&message.detail),
        }
    }
    content.push(']');
}

/// A datagram without the bytes that its decoded content already tells.
fn shortened(detail: &str) -> Cow<'_, str> {
    if detail.contains("\"raw\":") {
        return Cow::Owned(without_raw(detail));
    }
    // In a text in JSON the quotation marks would have backslashes.
    let Some(at) = detail
        .find("{\"hex\":\"")
        .or_else(|| detail.find(",\"hex\":\""))
    else {
        return Cow::Borrowed(detail);
    };
    let digits = at + "{\"hex\":\"".len();
    let length = detail[digits..].find('"').unwrap_or(0);
    if length <= SHORT_HEX {
        return Cow::Borrowed(detail);
    }
    let end = detail.floor_char_boundary(digits + SHORT_HEX);
    Cow::Owned(format!("{}…{}", &detail[..end], &detail[digits + length..]))
}

fn without_raw(detail: &str) -> String {
    let Ok(mut detail) = serde_json::from_str::<Value>(detail) else {
        return "null".to_owned();
    };
    if let Some(detail) = detail.as_object_mut()
        && detail.shift_remove("raw").is_some()
    {
        detail.insert("shortened".to_owned(), true.into());
    }
    let detail = detail.to_string();
    match detail.contains("\"raw\":") {
        // It stands deeper, and is something else.
        true => detail,
        false => shortened(&detail).into_owned(),
    }
}
