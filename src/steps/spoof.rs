//! Somebody on the way who speaks in a device's name.

use cucumber::when;

use crate::{
    air::{Air, unhex},
    catalogue,
    plan::{Part, Waiting},
    run::{Lab, Mismatch, StepResult},
};

catalogue! {
    sentence: "somebody else sends the bytes `HEX` to the server in the name of the device `NAME`",
    does: "Sends one datagram from the address that the device last spoke from, to where it spoke to, without the device. Only the virtual world can do that.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen somebody else sends the bytes `40 00 12 34` to the server in the name of the device `meter-1`\n\nThen the CoAP message `-> RST 0.00 MID: 4660` should have crossed for `meter-1`",
    checks: &[("bytes", hexadecimal)],
    waiting: Waiting::Never,
    own_time: true,
    uses: &[Part::Server],
}
#[when(
    regex = r"^somebody else sends the bytes `(?P<bytes>[^`]+)` to the server in the name of the device `(?P<name>[^`]+)`$"
)]
async fn in_the_name_of(lab: &mut Lab, bytes: String, name: String) -> StepResult {
    let Some(bytes) = unhex(&bytes) else {
        return lab.fail(Mismatch::new(format!(
            "`{bytes}` are no hexadecimal digits"
        )));
    };
    let spoke = {
        let air = Air::of(lab)?;
        let seen = air.seen();
        let mut of_device = seen
            .crossings()
            .filter(|(_, it)| it.up && *it.party == *name);
        of_device.next_back().map(|(_, it)| (it.from, it.to))
    };
    let Some((from, to)) = spoke else {
        return lab.fail(
            Mismatch::new(format!("the device `{name}` has not spoken yet"))
                .help("switch it on before"),
        );
    };
    match &lab.equipment.in_memory {
        Some(network) => {
            network.send_as(from, to, &bytes);
            Ok(())
        }
        None => lab.fail(Mismatch::new(
            "real sockets do not send in another's name; say `clock: virtual` in front matter",
        )),
    }
}

fn hexadecimal(text: &str) -> Result<(), (String, String)> {
    if unhex(text).is_some() {
        return Ok(());
    }
    let message = format!("`{text}` are no hexadecimal digits");
    Err((message, "write for example `40 01 12 34`".to_owned()))
}
