//! Scripted peers: bare CoAP speakers that are neither our server nor our devices.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use cucumber::{given, then, when};
use rand::RngExt as _;

use crate::{
    air::{
        Air, Crossing, LabParts, Peer,
        notation::{MESSAGE, Notation, OUTGOING, in_one_line, nearest, read_block, read_line},
        server_of, unhex,
    },
    catalogue,
    plan::{BlockNeed, Budget, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    steps::image::image_named,
};

/// How long "should not receive" looks when no `For` says.
const DEFAULT_WINDOW: Duration = Duration::from_secs(2);

catalogue! {
    sentence: "there is a CoAP peer `NAME`[ at `ADDRESS`]",
    does: "Opens a UDP socket for a peer that sends what the scenario says, to the bit, and nothing by itself: it repeats nothing, acknowledges nothing. Stores its URL under NAME, so that a device can have it as its server.",
    example: "Given there is a CoAP peer `tester`\n\nThen the variable `tester` should match the pattern `^coap://127`",
    stores: &["{name}"],
    waiting: Waiting::Never,
}
#[given(regex = r"^there is a CoAP peer `(?P<name>\w+)`(?: at `(?P<address>[^`]+)`)?$")]
async fn open(lab: &mut Lab, name: String, address: String) -> StepResult {
    let address = if address.is_empty() {
        Ok(SocketAddr::from(([127, 0, 0, 1], 0)))
    } else {
        address.parse()
    };
    let Ok(address) = address else {
        return lab.fail(
            Mismatch::new("a peer's address is an IP address and a port")
                .help("write for example `127.0.0.1:0`; port 0 picks a free one"),
        );
    };
    if Air::of(lab)?.peers().iter().any(|it| it.name() == name) {
        return lab.fail(Mismatch::new(format!("there is a peer `{name}` already")));
    }
    let parts = LabParts {
        network: lab.network(),
        clock: lab.equipment.clock,
        seed: lab.random().random(),
    };
    match Air::of(lab)?.open_peer(&parts, &name, address) {
        Ok(url) => {
            lab.store(name, url);
            Ok(())
        }
        Err(error) => lab.fail(Mismatch::new(format!(
            "the peer `{name}` cannot have {address}: {error}"
        ))),
    }
}

catalogue! {
    sentence: "the peer `NAME` sends to (`URL`|the device `DEVICE`)",
    does: "Sends the message of the code block as one datagram: type, code or method and path in the first line, an option in each line (`MID: 7` and `Token: a1b2` too; made up where they are not given, and those of the message taken last in an answer), an empty line, the payload: text, `hex:00ff`, `image:NAME` or a part of one, `image:NAME[0..512]`. To `coap://host:port`, or to where a device last spoke to this peer from.",
    example: "Given there is a CoAP peer `tester`\n\nWhen the peer `tester` sends to `${COAPURL}`\n\n```\nCON POST /rd?ep=tester&lt=60&lwm2m=1.1\nContent-Format: 40\n\n</1/0>,</3/0>,</5/0>\n```\n\nThen the peer `tester` should receive\n\n```\nACK 2.01\nLocation-Path: rd\n```",
    block: BlockNeed::Form(&OUTGOING),
    waiting: Waiting::Never,
}
#[when(
    regex = r"^the peer `(?P<name>\w+)` sends to (?:`(?P<url>[^`]+)`|the device `(?P<device>[^`]+)`)$"
)]
async fn sends(lab: &mut Lab, name: String, url: String, device: String) -> StepResult {
    let notation = outgoing(lab)?;
    let to = target(lab, &name, &url, &device)?;
    let bytes = peer(lab, &name)?.script().datagram(&notation);
    match bytes {
        Ok(bytes) => send(lab, &name, to, bytes).await,
        Err(why) => lab.fail(Mismatch::new(why)),
    }
}

catalogue! {
    sentence: "the peer `NAME` sends the bytes `HEX` to (`URL`|the device `DEVICE`)",
    does: "Sends these bytes as one datagram, whatever they are.",
    example: "Given there is a CoAP peer `tester`\n\nWhen the peer `tester` sends the bytes `40 00 12 34` to `${COAPURL}`\n\nThen the peer `tester` should receive\n\n```\nRST 0.00\nMID: 4660\n```",
    checks: &[("bytes", hexadecimal)],
    waiting: Waiting::Never,
}
#[when(
    regex = r"^the peer `(?P<name>\w+)` sends the bytes `(?P<bytes>[^`]*)` to (?:`(?P<url>[^`]+)`|the device `(?P<device>[^`]+)`)$"
)]
async fn sends_bytes(
    lab: &mut Lab,
    name: String,
    bytes: String,
    url: String,
    device: String,
) -> StepResult {
    let to = target(lab, &name, &url, &device)?;
    match unhex(&bytes) {
        Some(bytes) => send(lab, &name, to, bytes.into()).await,
        None => lab.fail(Mismatch::new(format!(
            "`{bytes}` is no hexadecimal digits in pairs"
        ))),
    }
}

catalogue! {
    sentence: "the peer `NAME` sends it again[ `N` times]",
    does: "Sends its last datagram once more, or so often: a duplicate to the bit, to the same place.",
    example: "Given there is a CoAP peer `tester`\n\nWhen the peer `tester` sends to `${COAPURL}`\n\n```\nCON POST /rd?ep=tester&lt=60&lwm2m=1.1\nContent-Format: 40\nMID: 77\n\n</1/0>,</3/0>\n```\n\nAnd the peer `tester` sends it again\n\nThen the peer `tester` should receive\n\n```\nACK 2.01\nMID: 77\n```\n\nAnd the peer `tester` should receive\n\n```\nACK 2.01\nMID: 77\n```",
    waiting: Waiting::Never,
}
#[when(regex = r"^the peer `(?P<name>\w+)` sends it again(?: `(?P<count>\d+)` times)?$")]
async fn sends_again(lab: &mut Lab, name: String, count: String) -> StepResult {
    let sent = peer(lab, &name)?.script().sent.clone();
    let Some((to, bytes)) = sent else {
        return lab.fail(Mismatch::new(format!(
            "the peer `{name}` has sent nothing yet"
        )));
    };
    for _ in 0..count.parse().unwrap_or(1_u32) {
        send(lab, &name, to, bytes.clone()).await?;
    }
    Ok(())
}

catalogue! {
    sentence: "the peer `NAME` answers `MESSAGE` with",
    does: "From now on the peer answers each message that is so with the code block; the newest such step counts. The answer has the token of the request; to a CON it is an ACK with its MID, else a NON, where the block does not say otherwise.",
    example: "Given there is a CoAP peer `tester`\n\nAnd the peer `tester` answers `CON POST /rd` with\n\n```\nACK 2.01\nLocation-Path: rd\nLocation-Path: 1\n```\n\nAnd there is a device `meter-1` running `1.0.0`\n\n```toml\nserver = \"${tester}\"\n```\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered",
    block: BlockNeed::Form(&OUTGOING),
    checks: &[("message", in_one_line)],
    waiting: Waiting::Never,
}
#[given(regex = r"^the peer `(?P<name>\w+)` answers `(?P<message>[^`]+)` with$")]
async fn answers(lab: &mut Lab, name: String, message: String) -> StepResult {
    let with = outgoing(lab)?;
    let request = match read_line(&message) {
        Ok(request) => request,
        Err(why) => return lab.fail(Mismatch::new(why)),
    };
    let added = peer(lab, &name)?.script().answer(request, with);
    added.or_else(|why| lab.fail(Mismatch::new(why)))
}

catalogue! {
    sentence: "the peer `NAME` should receive",
    does: "Waits for a message that is as the code block says: what is not written does not matter, `*` stands for any text. A message is taken once.",
    example: "Given there is a CoAP peer `tester`\n\nWhen the peer `tester` sends to `${COAPURL}`\n\n```\nCON 0.00\nMID: 99\n```\n\nThen the peer `tester` should receive\n\n```\nRST 0.00\nMID: 99\n```",
    block: BlockNeed::Form(&MESSAGE),
    waiting: Waiting::Always(Budget::DEVICE),
    on_air: true,
}
#[then(regex = r"^the peer `(?P<name>\w+)` should receive$")]
async fn receives(lab: &mut Lab, name: String) -> StepResult {
    let notation = incoming(lab)?;
    let mismatch = {
        let mut script = peer(lab, &name)?.script();
        if script.take(&notation) {
            return Ok(());
        }
        let waiting: Vec<Crossing> = script.waiting().cloned().collect();
        not_received(&name, &notation, &waiting, script.count())
    };
    lab.fail(mismatch)
}

catalogue! {
    sentence: "the peer `NAME` should not receive (anything|`MESSAGE`)",
    does: "No such message comes for 2 s, or for as long as ``For `…` `` in front of it says. Messages taken by earlier steps do not count.",
    example: "Given there is a CoAP peer `tester`\n\nWhen the peer `tester` sends the bytes `ff` to `${COAPURL}`\n\nThen for `10 s` the peer `tester` should not receive anything",
    checks: &[("message", in_one_line)],
    waiting: Waiting::Window(DEFAULT_WINDOW),
    on_air: true,
}
#[then(regex = r"^the peer `(?P<name>\w+)` should not receive (?:anything|`(?P<message>[^`]+)`)$")]
async fn receives_not(lab: &mut Lab, name: String, message: String) -> StepResult {
    let message = if message.is_empty() { "*" } else { &message };
    let notation = match read_line(message) {
        Ok(notation) => notation,
        Err(why) => return lab.fail(Mismatch::new(why)),
    };
    let there = {
        let script = peer(lab, &name)?.script();
        let mut waiting = script.waiting();
        waiting.find(|it| notation.is(it)).map(Crossing::summary)
    };
    match there {
        None => Ok(()),
        Some(there) => lab.fail(
            Mismatch::new(format!("the peer `{name}` received what it should not"))
                .note(format!("it is {there}")),
        ),
    }
}

catalogue! {
    sentence: "I store `JSONATA` of the message that the peer `NAME` received into `VARIABLE`",
    does: "Stores what JSONata takes from the message that was taken last: type, code, mid, token, path, query, options, block1, block2, format, payload, and `from`.",
    example: "Given there is a CoAP peer `tester`\n\nWhen the peer `tester` sends to `${COAPURL}`\n\n```\nCON POST /rd?ep=tester&lt=60&lwm2m=1.1\nContent-Format: 40\n\n</1/0>,</3/0>\n```\n\nThen the peer `tester` should receive\n\n```\nACK 2.01\n```\n\nAnd I store `options[name='Location-Path'][1].value` of the message that the peer `tester` received into `location`\n\nWhen the peer `tester` sends to `${COAPURL}`\n\n```\nCON DELETE /rd/${location}\n```\n\nThen the peer `tester` should receive\n\n```\nACK 2.02\n```",
    stores: &["{variable}"],
    expressions: &["expression"],
    waiting: Waiting::Never,
}
#[then(
    regex = r"^I store `(?P<expression>[^`]+)` of the message that the peer `(?P<name>\w+)` received into `(?P<variable>[^`]+)`$"
)]
async fn store(lab: &mut Lab, expression: String, name: String, variable: String) -> StepResult {
    let taken = peer(lab, &name)?.script().taken.clone();
    let taken = taken.and_then(|it| Some((it.message()?, it)));
    let Some((message, crossing)) = taken else {
        return lab.fail(
            Mismatch::new(format!(
                "no step has taken a message of the peer `{name}` yet"
            ))
            .help(format!(
                "say before: Then the peer `{name}` should receive …"
            )),
        );
    };
    let mut view = crate::air::coap(&crossing, &message);
    view["from"] = serde_json::json!(crossing.from.to_string());
    match lab.evaluate(&expression, &view)? {
        Some(value) => {
            lab.store(variable, value);
            Ok(())
        }
        None => lab.fail(
            Mismatch::new(format!("`{expression}` finds nothing in the message"))
                .note(view.to_string()),
        ),
    }
}

fn peer<'a>(lab: &'a mut Lab, name: &str) -> Result<&'a Peer, StepError> {
    let at = Air::of(lab)?
        .peers()
        .iter()
        .position(|it| it.name() == name);
    match at {
        Some(at) => Ok(&Air::of(lab)?.peers()[at]),
        None => lab.fail(
            Mismatch::new(format!("there is no peer `{name}`")).help(format!(
                "open it first: Given there is a CoAP peer `{name}`"
            )),
        ),
    }
}

/// The address behind a URL, or from which a device last spoke to this peer.
fn target(lab: &mut Lab, name: &str, url: &str, device: &str) -> Result<SocketAddr, StepError> {
    if device.is_empty() {
        let found = server_of(url).and_then(|it| match it.secure {
            true => Err("a peer speaks CoAP over UDP, not over DTLS".to_owned()),
            false => Ok(it.address),
        });
        return found.or_else(|why| lab.fail(Mismatch::new(format!("`{url}`: {why}"))));
    }
    let here = peer(lab, name)?.local();
    match Air::of(lab)?.spoke_from(device, here) {
        Some(from) => Ok(from),
        None => lab.fail(
            Mismatch::new(format!(
                "the device `{device}` has not spoken to the peer `{name}`, so it does not know \
                 where it is"
            ))
            .help(format!("let it register there: server = \"${{{name}}}\"")),
        ),
    }
}

async fn send(lab: &mut Lab, name: &str, to: SocketAddr, bytes: Bytes) -> StepResult {
    let socket = {
        let peer = peer(lab, name)?;
        peer.script().sends(to, &bytes);
        peer.socket()
    };
    let sent = socket.send_to(to, &bytes).await;
    sent.or_else(|error| {
        lab.fail(Mismatch::new(format!(
            "the peer `{name}` cannot send: {error}"
        )))
    })
}

/// The message of the code block, with the bytes of an image where it names one.
fn outgoing(lab: &mut Lab) -> Result<Notation, StepError> {
    let notation = incoming(lab)?;
    let Some((name, part)) = notation.image() else {
        return Ok(notation);
    };
    let image = image_named(lab, &name)?;
    let part = match part {
        None => Some(&image.bytes[..]),
        Some((from, to)) => image.bytes.get(from..to),
    };
    match part {
        Some(part) => Ok(notation.with_payload(part.to_vec())),
        None => lab.fail(Mismatch::new(format!(
            "the image `{name}` has {} bytes, which is less than that part",
            image.bytes.len()
        ))),
    }
}

fn incoming(lab: &mut Lab) -> Result<Notation, StepError> {
    let code = lab.block()?.code;
    match read_block(&code) {
        Ok(notation) => Ok(notation),
        Err(mistake) => lab.fail(Mismatch::new(format!(
            "line {} of the code block: {}",
            mistake.line, mistake.message
        ))),
    }
}

fn not_received(name: &str, wanted: &Notation, waiting: &[Crossing], all: usize) -> Mismatch {
    let mismatch = Mismatch::new(format!("the peer `{name}` has not received that"));
    match nearest(wanted, waiting.iter().enumerate()) {
        Some((at, differences)) => {
            let nearest = waiting.get(at).map(Crossing::summary).unwrap_or_default();
            mismatch.differences(differences).note(format!(
                "the nearest of {} messages is {nearest}",
                waiting.len()
            ))
        }
        None if all == 0 => mismatch.note("it has received nothing at all"),
        None => mismatch.note(format!(
            "{all} messages came, all of them taken by earlier steps"
        )),
    }
}

fn hexadecimal(text: &str) -> Result<(), (String, String)> {
    match unhex(text) {
        Some(_) => Ok(()),
        None => {
            let message = format!("`{text}` is no hexadecimal digits in pairs");
            Err((message, "write for example `40 01 00 07`".to_owned()))
        }
    }
}
