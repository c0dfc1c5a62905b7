//! What crossed between devices (or peers) and the server, message by message.
//!
//! `crossed` messages that should be there or should not, `count` how many, `select` what is in
//! them. The notation of messages is `crate::air::notation`.

mod count;
mod crossed;
mod select;

use crate::{
    air::{
        Air, Crossing, Outcome,
        notation::{Line, Missing, Notation, read_line, read_lines},
    },
    run::{Lab, Mismatch, StepError, StepResult},
};

/// Crossings before the place of a mismatch that it shows.
const SHOWN: usize = 6;

/// What crossed for somebody.
struct Looked<'a> {
    crossings: Vec<&'a Crossing>,
    /// Some of them are not kept any more.
    partly: bool,
}

/// Looks at what crossed for somebody.
fn look<T>(
    lab: &mut Lab,
    name: &str,
    at: impl FnOnce(&Looked<'_>) -> Result<T, Mismatch>,
) -> Result<T, StepError> {
    somebody(lab, name)?;
    let found =
        Air::of(lab)?.with_crossings(name, |crossings, partly| at(&Looked { crossings, partly }));
    found.or_else(|mismatch| lab.fail(mismatch))
}

/// Fails where there is no device and no peer of this name: nothing crosses for nobody.
fn somebody(lab: &mut Lab, name: &str) -> StepResult {
    if Air::of(lab)?.parties(name).is_empty() {
        return lab.fail(
            Mismatch::new(format!("there is no device or peer `{name}`"))
                .help("make it first: Given there is a device `…` running `1.0.0`"),
        );
    }
    Ok(())
}

fn lines(lab: &mut Lab) -> Result<Vec<Line>, StepError> {
    let code = lab.block()?.code;
    match read_lines(&code) {
        Ok(lines) => Ok(lines),
        Err(mistake) => lab.fail(Mismatch::new(format!(
            "line {} of the code block: {}",
            mistake.line, mistake.message
        ))),
    }
}

fn notation(lab: &mut Lab, text: &str) -> Result<Notation, StepError> {
    read_line(text).or_else(|why| lab.fail(Mismatch::new(why)))
}

impl Looked<'_> {
    /// What says something of all messages cannot be said where some are not kept.
    fn must_be_whole(&self) -> Result<(), Mismatch> {
        if self.partly {
            let text = "more crossed than is kept, so nothing can be said of all of it";
            return Err(Mismatch::new(text)
                .help("say before: When I look at the CoAP messages of `…` from here on"));
        }
        Ok(())
    }

    /// Why a sequence was not found, for people.
    fn explain(&self, name: &str, missing: &Missing) -> Mismatch {
        let mut mismatch = match &missing.wanted {
            Some(wanted) => Mismatch::new(format!("`{wanted}` has not crossed for `{name}`")),
            None => Mismatch::new(format!("something else has crossed for `{name}`")),
        };
        mismatch = mismatch.differences(missing.differences.clone());
        let line = |at: usize| {
            self.crossings
                .get(at)
                .copied()
                .map(shown)
                .unwrap_or_default()
        };
        if let Some(after) = missing.after {
            mismatch = mismatch.note(format!("looked for behind {}", line(after)));
        }
        match (missing.nearest, &missing.wanted) {
            (Some(nearest), Some(_)) => {
                mismatch = mismatch.note(format!("the nearest is {}", line(nearest)));
            }
            (Some(more), None) => mismatch = mismatch.note(format!("it is {}", line(more))),
            (None, _) => {
                let count = self.crossings.len();
                mismatch = mismatch.note(match count {
                    0 => "nothing has crossed at all".to_owned(),
                    _ => format!("nothing has crossed behind that; {count} messages in all"),
                });
            }
        }
        let around = missing.nearest.unwrap_or(self.crossings.len());
        let from = around.saturating_sub(SHOWN);
        for at in from..around {
            mismatch = mismatch.note(format!("before it {}", line(at)));
        }
        if self.partly {
            mismatch = mismatch.note("what crossed first is not kept any more");
        }
        mismatch
    }
}

/// A crossing in one line of a mismatch.
fn shown(crossing: &Crossing) -> String {
    let arrow = if crossing.up { "<-" } else { "->" };
    let at = crossing.at.as_secs_f64();
    let outcome = match crossing.outcome {
        Outcome::Delivered => String::new(),
        other => format!(" ({})", other.name()),
    };
    let again = if crossing.retransmission {
        " (again)"
    } else {
        ""
    };
    format!(
        "{arrow} {}{outcome}{again} at {at:.3} s",
        crossing.summary()
    )
}
