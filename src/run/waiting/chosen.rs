//! Which devices a failed step is explained by.

use std::collections::BTreeSet;

use serde_json::Value;

use super::facts::{Device, Others};
use crate::{
    air::{Air, Known},
    run::{Lab, StepRecord},
};

/// Devices that are looked at, and those of them that sentences are made about: what is not well
/// comes first.
const MAX_LOOKED_AT: usize = 12;
const MAX_DEVICES: usize = 3;

/// What stands between backticks in a sentence.
pub(super) fn names(record: &StepRecord) -> impl Iterator<Item = &str> {
    record.title.split('`').skip(1).step_by(2)
}

/// The devices that a sentence names, else those that its requests name, else all that there are;
/// how many more. Of many, only those that the last attempt complained about, and whether that is so.
pub(super) fn devices(lab: &mut Lab, record: &StepRecord) -> (Vec<Known>, Others, bool) {
    let Some(air) = Air::in_use(lab) else {
        return (Vec::new(), Others::default(), false);
    };
    let named: Vec<Known> = names(record).flat_map(|it| air.named(it)).collect();
    let all = air.known().to_vec();
    let named = match named.as_slice() {
        [] => {
            let lines = lines(lab, record);
            let asked = |it: &&Known| lines.iter().any(|line| says(line, it));
            all.iter().filter(asked).cloned().collect()
        }
        _ => named,
    };
    let mut devices = if named.is_empty() { all } else { named };
    let last = record.attempts.last().and_then(|it| it.mismatch.as_ref());
    let notes = last.into_iter().flat_map(|it| &it.notes);
    let complained: BTreeSet<&str> = notes
        .filter_map(|it| it.split_once(": "))
        .map(|it| it.0)
        .collect();
    let all = devices.len();
    let is_complained = |it: &Known| complained.contains(it.name.as_str());
    if !devices.iter().any(is_complained) {
        devices.truncate(MAX_LOOKED_AT);
        let unseen = all - devices.len();
        let others = Others {
            unseen,
            ..Others::default()
        };
        return (devices, others, false);
    }
    devices.retain(is_complained);
    // Of a fleet a sentence tells how many are as they should be, and names a few of the others.
    let counts = last.and_then(|it| it.differences.first());
    let holding = counts.and_then(|it| {
        let count = |it: &Option<Value>| it.as_ref()?.as_u64();
        let (wanted, holding) = (count(&it.expected)?, count(&it.actual)?);
        // Where too many hold, it is those that it complains about.
        let holding = usize::try_from(holding).ok()?;
        let too_few = u64::try_from(holding).is_ok_and(|it| it < wanted);
        Some(if too_few {
            holding
        } else {
            all.saturating_sub(holding)
        })
    });
    let fine = holding.map_or(all - devices.len(), |it| {
        it.min(all.saturating_sub(devices.len()))
    });
    devices.truncate(MAX_LOOKED_AT);
    let alike = all - fine - devices.len();
    let others = Others {
        alike,
        fine,
        unseen: 0,
    };
    (devices, others, true)
}

/// What crossed over HTTP and websockets while the step was at work; polls repeat, so each line once.
fn lines(lab: &Lab, record: &StepRecord) -> BTreeSet<String> {
    let (from, to) = record.messages;
    lab.trace().look(|messages| {
        let during = messages.iter().skip_while(|it| it.seq < from);
        let during = during.take_while(|it| it.seq < to);
        let other = during.filter(|it| it.air.is_none());
        other.map(|it| it.summary.clone()).collect()
    })
}

/// What is well comes last, and of the rest only a few stay.
pub(super) fn rank(devices: &mut Vec<Device>, mut others: Others, complained: bool) -> Others {
    let sleeps = |it: &Device| it.itself.as_ref().is_some_and(|it| it.on && it.asleep);
    let is_up = |it: &Device| it.itself.as_ref().is_some_and(|it| it.on && it.registered);
    devices.sort_by_key(|it| (sleeps(it), is_up(it)));
    let more = devices.len().saturating_sub(MAX_DEVICES);
    devices.truncate(MAX_DEVICES);
    if complained {
        others.alike += more;
    } else {
        others.unseen += more;
    }
    others
}

/// Whether a text has the name of a device in it, by itself.
fn says(text: &str, device: &Known) -> bool {
    let ends = |it: Option<char>| it.is_none_or(|it| !it.is_alphanumeric() && it != '-');
    [&device.name, &device.endpoint].into_iter().any(|name| {
        text.match_indices(name.as_str()).any(|(at, _)| {
            ends(text[..at].chars().next_back()) && ends(text[at + name.len()..].chars().next())
        })
    })
}
