//! Why is it waiting? When a wait ends without what it waited for, each side is asked what it
//! waits for itself, and that is said in words.
//!
//! `facts` is all that can be known, `collect` gets it: from the server through its admin face as
//! any third party could, from the mocked cloud's queue, from simulated devices, and from what
//! crossed (`wire`). `explain` makes sentences of it and does nothing else.

mod collect;
mod device;
mod facts;
#[cfg(test)]
mod tests;
mod wire;

use self::facts::{Asked, Facts, Refusal, Upstream};

use super::{Lab, StepRecord};

/// Sentences about one thing at most.
const MAX_SAID: usize = 4;

/// What each side waited for when this step ended without what it waited for.
pub(super) async fn why(lab: &mut Lab, record: &StepRecord) -> Vec<String> {
    explain(&collect::collect(lab, record).await)
}

/// What each side waits for.
fn explain(facts: &Facts) -> Vec<String> {
    let mut said = Vec::new();
    for refusal in facts.refusals.iter().take(MAX_SAID) {
        said.push(refused(refusal));
    }
    upstream(&facts.upstream, &mut said);
    for device in &facts.devices {
        said.extend(device::explain(device, facts));
    }
    if facts.more_devices > 0 {
        let more = facts.more_devices;
        said.push(format!("and {more} more devices, which were not looked at"));
    }
    if let Some(why) = &facts.websocket_closed {
        said.push(format!(
            "the last websocket is not open any more ({why}), so nothing comes through it"
        ));
    }
    match &facts.server {
        Asked::Silent(why) => said.push(format!(
            "the server's admin face could not be asked ({why}), so this is what the wire shows"
        )),
        Asked::NoFace if !facts.devices.is_empty() => said
            .push("the target has no admin face to ask, so this is what the wire shows".to_owned()),
        Asked::NoFace | Asked::Yes => {}
    }
    if said.is_empty() && facts.messages == 0 {
        said.push(
            "nothing crossed while the step waited: nobody has begun what it waits for".to_owned(),
        );
    }
    said
}

fn refused(refusal: &Refusal) -> String {
    let Refusal {
        what,
        status,
        said,
        times,
        by_fingerprint,
    } = refusal;
    let meaning = match status {
        401 => "it wants a proof of who asks",
        403 if *by_fingerprint => "this fingerprint is not the one of that device",
        403 => "who asks may not do that",
        404 if *by_fingerprint => "it knows no device by this fingerprint",
        404 => "it knows nothing of that name",
        409 | 423 => "it is locked: something else has to end first",
        429 => "it was asked too often",
        400 | 422 => "it does not understand the request",
        400..500 => "the request is not to its liking",
        _ => "it failed itself",
    };
    let times = match times {
        1 => String::new(),
        times => format!(" {times} times"),
    };
    let said = match said.as_str() {
        "" => String::new(),
        said => format!(", and it says: {said}"),
    };
    format!("the server answered {what} with {status}{times}: {meaning}{said}")
}

fn upstream(upstream: &Upstream, said: &mut Vec<String>) {
    for (call, times, closest) in upstream.unexpected.iter().take(MAX_SAID) {
        let times = match times {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        let closest = match closest {
            Some(closest) => format!("; the nearest that is queued is for {closest}"),
            None => String::new(),
        };
        said.push(format!(
            "the server called the cloud with {call} {times}, for which nothing is queued, so it \
             got 404{closest}"
        ));
    }
    for (call, status) in upstream.failing.iter().take(MAX_SAID) {
        said.push(format!(
            "the cloud answers {call} with {status}, as was queued; the server has to live with that"
        ));
    }
    if !upstream.leftovers.is_empty() {
        let count = upstream.leftovers.len();
        let first: Vec<&str> = upstream
            .leftovers
            .iter()
            .take(MAX_SAID)
            .map(String::as_str)
            .collect();
        let more = match count.saturating_sub(MAX_SAID) {
            0 => "",
            _ => " and others",
        };
        said.push(format!(
            "the cloud waits for calls that have not come: {}{more}",
            first.join(", ")
        ));
    }
}
