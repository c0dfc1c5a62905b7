//! Three steps of our own beside fotalab's.

use cucumber::{given, then, when};
use fotalab::{Lab, Mismatch, StepResult, catalogue, plan::Waiting};
use own_steps::Thermostat;

// A catalogue entry is optional; with one, `fotalab check` knows what the step stores and takes.
catalogue! {
    sentence: "the thermostat is set to `DEGREES`",
    does: "Sets the wanted temperature.",
    example: "Given the thermostat is set to `21.5`",
    waiting: Waiting::Never,
}
#[given(regex = r"^the thermostat is set to `(?P<degrees>[^`]+)`$")]
fn set(lab: &mut Lab, degrees: f64) {
    lab.state::<Thermostat>().target = degrees;
}

#[when(regex = r"^the room cools by `([^`]+)` degrees a reading, beginning at `([^`]+)`$")]
fn cool(lab: &mut Lab, by: f64, from: f64) {
    lab.state::<Thermostat>().readings = vec![from];
    lab.store("by", by);
}

// Under `Soon` the runner tries this again until it holds; each attempt is one reading.
#[then(regex = r"^the thermostat heats$")]
async fn heats(lab: &mut Lab) -> StepResult {
    let by = lab.get("by").and_then(|it| it.as_f64()).unwrap_or_default();
    let thermostat = lab.state::<Thermostat>();
    let last = thermostat.readings.last().copied().unwrap_or_default();
    thermostat.readings.push(last - by);
    let (heats, target) = (thermostat.heats(), thermostat.target);
    lab.expect(heats, || {
        Mismatch::between("the room is warm enough", target, last - by)
    })
}

fn main() -> std::process::ExitCode {
    fotalab::harness(&["features"])
}
