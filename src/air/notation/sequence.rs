//! Several messages, looked for among all that crossed.

use super::{Line, Notation};
use crate::{air::Crossing, run::Difference};

/// Why a sequence was not found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Missing {
    /// The message that was looked for; `None`: one too many crossed.
    pub(crate) wanted: Option<String>,
    /// The one found before it.
    pub(crate) after: Option<usize>,
    /// The crossing that comes nearest, or the one too many.
    pub(crate) nearest: Option<usize>,
    /// How that one differs.
    pub(crate) differences: Vec<Difference>,
}

/// Looks for messages in this order, others in between.
///
/// # Errors
/// The first that is not there.
pub(crate) fn in_order(lines: &[Line], crossings: &[&Crossing]) -> Result<(), Missing> {
    let mut from = 0;
    for line in lines {
        let Line::Message(notation) = line else {
            continue;
        };
        let found = (from..crossings.len()).find(|at| notation.is(crossings[*at]));
        match found {
            Some(at) => from = at + 1,
            None => return Err(missing(notation, crossings, from..crossings.len())),
        }
    }
    Ok(())
}

/// Looks whether these messages crossed and no other; `...` stands for any.
///
/// # Errors
/// Where it is otherwise first.
pub(crate) fn exactly(lines: &[Line], crossings: &[&Crossing]) -> Result<(), Missing> {
    // Where the lines so far can end, as in a regular expression without backtracking.
    let mut ends = vec![0];
    for line in lines {
        let next: Vec<usize> = match line {
            Line::Gap => (ends.first().copied().unwrap_or(0)..=crossings.len()).collect(),
            Line::Message(notation) => {
                let here = ends.iter().filter(|at| **at < crossings.len());
                let held = here.filter(|at| notation.is(crossings[**at]));
                held.map(|at| at + 1).collect()
            }
        };
        if next.is_empty() {
            let Line::Message(notation) = line else {
                continue;
            };
            let at = ends.last().copied().unwrap_or(0);
            let behind_gap = ends.len() > 1;
            let from = if behind_gap { ends[0] } else { at };
            let to = if behind_gap {
                crossings.len()
            } else {
                crossings.len().min(at + 1)
            };
            return Err(missing(notation, crossings, from..to));
        }
        ends = next;
    }
    if ends.last() == Some(&crossings.len()) {
        return Ok(());
    }
    let at = ends.last().copied().unwrap_or(0);
    Err(Missing {
        wanted: None,
        after: at.checked_sub(1),
        nearest: Some(at),
        differences: Vec::new(),
    })
}

/// Looks for the crossing that comes nearest to a message: the one with the fewest differences,
/// the latest of several.
pub(crate) fn nearest<'a>(
    notation: &Notation,
    crossings: impl Iterator<Item = (usize, &'a Crossing)>,
) -> Option<(usize, Vec<Difference>)> {
    let compared = crossings.map(|(at, it)| (at, notation.differences(it)));
    // A message with another code is hardly meant, whatever else fits.
    let weight = |found: &[Difference]| {
        let of = |it: &Difference| {
            if it.path == "code" || it.path == "message" {
                4
            } else {
                1
            }
        };
        found.iter().map(of).sum::<usize>()
    };
    compared.min_by_key(|(at, found)| (weight(found), usize::MAX - at))
}

fn missing(notation: &Notation, crossings: &[&Crossing], among: std::ops::Range<usize>) -> Missing {
    let after = among.start.checked_sub(1);
    let candidates = among.filter_map(|at| Some((at, *crossings.get(at)?)));
    let (nearest, differences) = nearest(notation, candidates).unzip();
    Missing {
        wanted: Some(notation.text.clone()),
        after,
        nearest,
        differences: differences.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use fotalab_wire::coap::Code;

    use super::*;
    use crate::air::{
        Outcome,
        crossing::Asked,
        notation::{Defaults, encode, read_block, read_lines},
    };

    fn crossing(text: &str) -> Crossing {
        let (arrow, rest) = text.split_once(' ').expect("an arrow");
        let bytes = encode(&read_block(rest).expect("good"), &Defaults::default());
        let bytes = bytes.expect("it can be sent");
        Crossing {
            at: Duration::ZERO,
            party: Arc::from("meter-1"),
            up: arrow == "<-",
            from: ([127, 0, 0, 1], 1).into(),
            to: ([127, 0, 0, 2], 2).into(),
            secure: false,
            record: 0,
            length: bytes.len(),
            outcome: Outcome::Delivered,
            delay: Duration::ZERO,
            retransmission: false,
            plain: Some(bytes),
            answers: (arrow == "<-" && rest.contains("2.05")).then(|| {
                Arc::new(Asked {
                    code: Code::GET,
                    path: "/3/0/3".to_owned(),
                })
            }),
        }
    }

    fn crossings() -> Vec<Crossing> {
        [
            "<- CON POST /rd?ep=a Content-Format:40",
            "-> ACK 2.01",
            "-> CON GET /3/0/3",
            "<- ACK 2.05 Content-Format:0\n\n1.0.0",
            "-> CON PUT /5/0/0 Block1:0/1/512",
        ]
        .map(crossing)
        .into()
    }

    fn look(
        text: &str,
        how: fn(&[Line], &[&Crossing]) -> Result<(), Missing>,
    ) -> Result<(), Missing> {
        let all = crossings();
        how(
            &read_lines(text).expect("good"),
            &all.iter().collect::<Vec<_>>(),
        )
    }

    #[test]
    fn others_may_stand_between_messages_in_order() {
        for holds in [
            "<- CON POST /rd",
            "<- CON POST /rd?ep=*\n-> ACK 2.*",
            "POST\nPUT /5/0/*",
            "-> CON GET /3/0/3\n<- ACK 2.05 [/3/0/3 = 1.0.0]",
            "<- * 2.05 !Observe [1.0.*]",
            "*\n*\n*\n*\n*",
        ] {
            assert_eq!(look(holds, in_order), Ok(()), "{holds}");
        }
        for fails in [
            "-> CON POST /rd",
            "<- CON POST /rd?ep=b",
            "-> ACK 2.*\n<- CON POST /rd",
            "<- ACK 2.05 Observe:*",
            "PUT Block1:1/*",
            "PUT (lost)",
            "*\n*\n*\n*\n*\n*",
        ] {
            assert!(look(fails, in_order).is_err(), "{fails}");
        }
    }

    #[test]
    fn exactly_means_that_nothing_else_crossed() {
        let all = "<- CON POST /rd\n-> ACK 2.01\n-> CON GET /3/0/3\n<- ACK 2.05\n-> CON PUT /5/0/0";
        assert_eq!(look(all, exactly), Ok(()));
        for holds in [
            "...\n-> CON PUT *",
            "<- CON POST\n...\n<- ACK 2.05\n-> *",
            "...\nGET\n...",
        ] {
            assert_eq!(look(holds, exactly), Ok(()), "{holds}");
        }
        let missing = look("<- CON POST /rd\n-> CON GET /3/0/3\n...", exactly).unwrap_err();
        assert_eq!(missing.nearest, Some(1));
        let missing = look("<- CON POST /rd\n-> ACK 2.01", exactly).unwrap_err();
        assert_eq!((missing.wanted, missing.nearest), (None, Some(2)));
    }

    #[test]
    fn the_nearest_message_is_told_with_what_differs() {
        let missing = look("-> CON PUT /5/0/0 Block1:1/1/512", in_order).unwrap_err();
        assert_eq!(missing.nearest, Some(4));
        assert_eq!(missing.differences.len(), 1);
        assert_eq!(missing.differences[0].path, "Block1");
        assert_eq!(missing.differences[0].actual, Some("0/1/512".into()));
    }
}
