//! Why is it waiting? When a wait ends without what it waited for, each side is asked what it
//! waits for itself, and that is said in words.
//!
//! `facts` is all that can be known, `collect` gets it: from the server through its admin face as
//! any third party could, from the mocked cloud's queue, from simulated devices, and from what
//! crossed (`wire`). `explain` makes sentences of it and does nothing else.

mod admin;
mod calls;
mod chosen;
mod collect;
mod device;
mod exchange;
mod facts;
mod registration;
#[cfg(test)]
mod tests;
mod update;
mod wire;
mod words;

use fotalab_wire::net::UnixMillis;

use self::{
    facts::{Asked, Call, Facts, Others, Refusal, Upstream, Websocket},
    words::{time, times},
};
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
    if facts.about_answer && !facts.devices.is_empty() && said.is_empty() {
        said.extend(facts.rest.as_ref().map(|it| asked(it, facts.now)));
    }
    for device in &facts.devices {
        said.extend(device::explain(device, facts));
    }
    said.extend(others(facts.others));
    if facts.let_in {
        said.push("the server let the websocket in, with status 101".to_owned());
    }
    if let Some(why) = facts.websocket.as_ref().and_then(|it| it.closed.as_ref()) {
        said.push(format!(
            "no websocket is open (the last one: {why}), so nothing comes through one"
        ));
    }
    if said.is_empty() {
        quiet(facts, &mut said);
    }
    match &facts.server {
        Asked::Silent(why) => said.push(format!(
            "the server's admin face could not be asked ({why}), so this is what the wire shows"
        )),
        Asked::NoFace if facts.devices.iter().any(|it| !it.peer) => said
            .push("the target has no admin face to ask, so this is what the wire shows".to_owned()),
        Asked::NoFace | Asked::Yes => {}
    }
    if facts.forgotten > 0 {
        said.push(format!(
            "{} messages were not kept, because there were too many before them: what crossed last \
             is not known",
            facts.forgotten
        ));
    }
    if said.is_empty() {
        said.push(match facts.messages {
            0 => "nothing crossed while the step waited: nobody has begun what it waits for".to_owned(),
            count => format!(
                "{count} messages crossed while the step waited, and nothing that is known of either \
                 side says what keeps it"
            ),
        });
    }
    said
}

/// Devices that nothing was said of.
fn others(others: Others) -> Option<String> {
    let Others {
        alike,
        fine,
        unseen,
    } = others;
    let more = |count: usize| match count {
        1 => "1 more device".to_owned(),
        count => format!("{count} more devices"),
    };
    let rest = match fine {
        1 => "the other one is".to_owned(),
        fine => format!("the other {fine} are"),
    };
    match (alike, fine, unseen) {
        (0, 0, 0) => None,
        (0, 0, unseen) => Some(format!("and {}, not looked at", more(unseen))),
        (0, ..) => Some(format!("{rest} as the step wants them")),
        (alike, 0, _) => Some(format!("and {} that the step complains about", more(alike))),
        (alike, ..) => Some(format!(
            "and {} that the step complains about; {rest} as it wants them",
            more(alike)
        )),
    }
}

/// Nobody is kept from anything: what was said last, which is not what the step waits for.
fn quiet(facts: &Facts, said: &mut Vec<String>) {
    let now = facts.now;
    said.extend(facts.rest.as_ref().map(|it| asked(it, now)));
    if let Some(websocket) = &facts.websocket {
        said.push(match websocket {
            Websocket { never: true, .. } => {
                "no websocket was opened, so nothing comes through one".to_owned()
            }
            Websocket { last: Some(at), .. } => format!(
                "the websocket is open; what came through it last, at {}, is not what the step \
                 waits for",
                time(now, *at)
            ),
            Websocket { .. } => "the websocket is open, and nothing has come through it".to_owned(),
        });
    }
    let Upstream { held, last, .. } = &facts.upstream;
    if let Some((what, at, until)) = held {
        said.push(format!(
            "the cloud has not answered {what}, called at {}, yet: it was queued to do so at {}",
            time(now, *at),
            time(now, *until)
        ));
    } else if let Some((what, at, status)) = last.as_ref().filter(|_| facts.devices.is_empty()) {
        let at = time(now, *at);
        said.push(format!(
            "the server last called the cloud with {what} at {at}, and got {status}"
        ));
    }
}

/// How the server answers the operator.
fn asked(call: &Call, now: UnixMillis) -> String {
    let Call { what, why, .. } = call;
    let (count, at) = (times(call.times), time(now, call.last));
    match call.status {
        Some(status) if status < 400 => format!(
            "the server answers {what} with {status}, asked {count}, last at {at}: what it says is \
             not what the step waits for"
        ),
        Some(status) => {
            format!("the server answers {what} with {status}, asked {count}, last at {at}")
        }
        None if why.is_empty() => {
            format!("the server has not answered {what}, asked {count}, last at {at}")
        }
        None => format!("{what} was asked {count}, last at {at}: {why}"),
    }
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
        403 if *by_fingerprint => ": this fingerprint is not the one of that device",
        // Who explains itself needs nobody to guess.
        _ if !said.is_empty() => "",
        401 => ": it wants a proof of who asks",
        403 => ": who asks may not do that",
        404 => ": it knows nothing of that name, or not yet",
        409 | 423 => ": something that is there, or under way, stands against it",
        429 => ": it was asked too often",
        400 | 422 => ": it does not understand the request",
        501 => ": it cannot do that",
        503 => ": it is not available at present",
        504 => ": something behind it did not answer in time",
        500.. => ": it failed itself",
        _ => ": the request is not to its liking",
    };
    let times = match times {
        1 => String::new(),
        times => format!(" {times} times"),
    };
    let said = match said.as_str() {
        "" => String::new(),
        said => format!(", and it says: {said}"),
    };
    format!("the server answered {what} with {status}{times}{meaning}{said}")
}

fn upstream(upstream: &Upstream, said: &mut Vec<String>) {
    for (call, count, closest) in upstream.unexpected.iter().take(MAX_SAID) {
        let times = times(*count);
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
