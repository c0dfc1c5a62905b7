//! Devices: those that a server is to know of, and simulated ones that speak with it.
//!
//! `known` fingerprints and accounts; `make` simulated devices, `act` what happens to them,
//! `expect` what they should be (`condition` in words, `view` as JSON).

mod act;
mod condition;
mod expect;
mod known;
mod make;
mod view;

use crate::{
    air::{Air, Known},
    run::{Lab, Mismatch, StepError},
};

/// The devices that a name means, at least one; `*` in it stands for anything.
fn devices(lab: &mut Lab, name: &str) -> Result<Vec<Known>, StepError> {
    let air = Air::of(lab)?;
    let found = air.named(name);
    if !found.is_empty() {
        return Ok(found);
    }
    let known: Vec<String> = air.known().iter().map(|it| it.name.clone()).collect();
    let mut mismatch = Mismatch::new(format!("there is no device `{name}`"));
    mismatch = match known.as_slice() {
        [] => mismatch.help("make it first: Given there is a device `…` running `1.0.0`"),
        few if few.len() <= 20 => mismatch.note(format!("there are {}", few.join(", "))),
        many => mismatch.note(format!("there are {} others", many.len())),
    };
    lab.fail(mismatch)
}

/// The one device that a name means.
fn device(lab: &mut Lab, name: &str) -> Result<Known, StepError> {
    let mut found = devices(lab, name)?;
    if found.len() > 1 {
        let count = found.len();
        return lab.fail(
            Mismatch::new(format!("`{name}` means {count} devices"))
                .help("say: `20` of the devices `meter-*` should …"),
        );
    }
    Ok(found.remove(0))
}
