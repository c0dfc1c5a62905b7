//! Observe-Composite, Send and what becomes of observations: section 3.4; X-FW-C09; the rows of
//! section 3.2 about lost answers.

use fotalab_simulators::device::{NotSent, Persona, Phase};
use fotalab_wire::coap::{Code, Kind, Message, MessageView, Request, RequestId};
use fotalab_wire::image;
use fotalab_wire::lwm2m::codec::{self, senml};
use fotalab_wire::lwm2m::{ContentFormat, Definitions, Path, Tree, Value, Version};

use crate::rig::Rig;

const SENML_JSON: u16 = 110;
const SENML_CBOR: u16 = 112;
const TLV: u16 = 11_542;

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn decode(format: u16, payload: &[u8]) -> Tree {
    let format = ContentFormat::from_number(format).expect("known");
    let definitions = Definitions::core(Version::V1_2);
    codec::decode(format, Path::ROOT, payload, &definitions).expect("good")
}

fn persona(text: &str) -> Rig {
    Rig::new(Persona::read(text).expect("good"))
}

impl Rig {
    fn observe_composite(&mut self, paths: &[&str]) -> RequestId {
        let paths: Vec<Path> = paths.iter().map(|it| path(it)).collect();
        let mut request = Request::new(Code::FETCH, "/")
            .format(SENML_CBOR)
            .observing();
        request.payload = senml::cbor::encode_paths(&paths).into();
        let before = self.notifications.len();
        let id = self.server.request(self.now, 1, request).expect("room");
        self.until("observed", |rig| rig.notifications.len() > before);
        id
    }

    fn trees(&self, id: RequestId) -> Vec<Tree> {
        let of_it = self.notifications.iter().filter(|(of, _)| *of == id);
        of_it
            .map(|(_, message)| decode(SENML_CBOR, &message.payload))
            .collect()
    }

    /// The bodies of Send as (path, value).
    fn sent(&self) -> Vec<Vec<(String, Value)>> {
        let values = |tree: Tree| {
            let values = tree
                .values()
                .map(|(at, value)| (at.to_string(), value.clone()));
            values.collect()
        };
        self.sends
            .iter()
            .map(|(format, body)| values(decode(*format as u16, body)))
            .collect()
    }
}

#[test]
fn int_304_observe_composite() {
    let mut rig = persona("portfolio = true");
    let id = rig.observe_composite(&["/5/0/3", "/1/0/1", "/16/0"]);
    rig.put("/1/0/1", "77");
    rig.run(2);
    let trees = rig.trees(id);
    assert_eq!(trees.len(), 2);
    assert_eq!(trees[1].value(path("/1/0/1")), Some(&Value::Integer(77)));
    assert!(trees[1].contains(path("/5/0/3")) && trees[1].contains(path("/16/0/0/3")));
    rig.put("/1/0/2", "1");
    rig.run(5);
    assert_eq!(
        rig.trees(id).len(),
        2,
        "nothing of what is observed changed"
    );
}

#[test]
fn int_304_the_periods_of_a_composite() {
    let mut rig = Rig::usual();
    rig.attribute("/5/0/3?pmin=20&pmax=40");
    rig.attribute("/1/0/2?pmin=10&pmax=60");
    let id = rig.observe_composite(&["/5/0/3", "/1/0/2"]);
    rig.put("/1/0/2", "0");
    rig.put("/5/0/11", "2");
    rig.run(45);
    assert_eq!(rig.trees(id).len(), 2, "each 40 s");
    rig.push(b"firmware", 1_024);
    rig.run(3);
    assert_eq!(rig.trees(id).len(), 2, "not before 10 s have passed");
    rig.run(6);
    assert_eq!(rig.trees(id).len(), 3);
}

#[test]
fn int_305_cancel_of_a_composite() {
    let mut rig = Rig::usual();
    let id = rig.observe_composite(&["/5/0/3"]);
    rig.server.deregister(rig.now, id).expect("there");
    rig.run(2);
    rig.push(b"firmware", 1_024);
    rig.run(5);
    assert_eq!(rig.trees(id).len(), 1);
    // And by Reset.
    let id = rig.observe_composite(&["/5/0/3"]);
    rig.server.cancel(rig.now, id);
    rig.put("/5/0/1", "");
    rig.run(5);
    rig.push(b"firmware", 1_024);
    rig.run(5);
    assert_eq!(rig.trees(id).len(), 1);
}

#[test]
fn int_308_309_310_instances_come_change_and_go_under_an_observation() {
    let mut rig = persona("portfolio = true");
    let composite = rig.observe_composite(&["/16", "/3/0/3"]);
    let instance = rig.observe("/16/0");
    let body = |id: u16, text: &str| {
        let at = path(&format!("/16/{id}/0/0"));
        let tree = Tree::of(at, Value::String(text.to_owned()));
        codec::encode(ContentFormat::Tlv, Path::object(16), &tree).expect("good")
    };
    assert_eq!(
        rig.send(Code::POST, "/16", TLV, &body(1, "new")),
        Code::CREATED
    );
    rig.run(2);
    let trees = rig.trees(composite);
    assert!(trees.last().expect("some").contains(path("/16/1/0/0")));
    assert_eq!(rig.notified(instance).len(), 1, "that one did not change");
    rig.put("/16/1/0/0", "changed");
    rig.run(2);
    let value = Value::String("changed".to_owned());
    let trees = rig.trees(composite);
    assert_eq!(
        trees.last().expect("some").value(path("/16/1/0/0")),
        Some(&value)
    );
    rig.ask(Request::new(Code::DELETE, "/16/0"));
    rig.run(2);
    let trees = rig.trees(composite);
    assert_eq!(trees.len(), 4);
    assert!(!trees[3].contains(path("/16/0")) && trees[3].contains(path("/3/0/3")));
    // Who observed what is gone is told so, once.
    rig.run(60);
    let answer = rig.answered(instance).expect("an end");
    assert_eq!(answer.code, Code::NOT_FOUND);
}

#[test]
fn int_306_send() {
    for (text, format) in [("", SENML_CBOR), ("senml = \"json\"", SENML_JSON)] {
        let mut rig = persona(text);
        rig.send_paths(&["/3/0/3", "/5/0", "/3/0/99"])
            .expect("sent");
        rig.run(1);
        assert_eq!(rig.sends[0].0, u32::from(format));
        let values = &rig.sent()[0];
        let version = ("/3/0/3".to_owned(), Value::String("1.0.0".to_owned()));
        assert!(values.contains(&version), "{values:?}");
        assert!(values.contains(&("/5/0/9".to_owned(), Value::Integer(2))));
        let sent =
            |event: &_| *event == fotalab_simulators::device::Event::Sent(Some(Code::CHANGED));
        assert!(rig.events.iter().any(sent));
    }
}

#[test]
fn int_307_a_muted_device_sends_nothing() {
    let mut rig = persona("reports = \"send\"");
    assert_eq!(rig.text("/1/0/23").1, "0");
    assert_eq!(rig.put("/1/0/23", "1"), Code::CHANGED);
    assert_eq!(rig.send_paths(&["/3/0/3"]), Err(NotSent::Muted));
    rig.push(b"firmware", 1_024);
    rig.run(5);
    assert!(rig.sends.is_empty());
    assert_eq!(rig.put("/1/0/23", "0"), Code::CHANGED);
    rig.send_paths(&["/3/0/3"]).expect("sent");
    rig.run(1);
    assert_eq!(rig.sends.len(), 1);
}

#[test]
fn int_311_what_cannot_be_sent() {
    let mut rig = Rig::usual();
    assert_eq!(rig.send_paths(&["/77", "/5/0/0"]), Err(NotSent::Nothing));
    rig.device.leave(rig.now);
    assert_eq!(rig.send_paths(&["/3/0/3"]), Err(NotSent::Unregistered));
    let mut old = persona("lwm2m = \"1.0\"\nreports = \"send\"");
    assert_eq!(old.send_paths(&["/3/0/3"]), Err(NotSent::Old));
    old.push(b"firmware", 1_024);
    old.run(5);
    assert!(old.sends.is_empty());
}

#[test]
fn x_fw_c09_the_steps_of_an_update_by_send() {
    let mut rig = persona("reports = \"send\"");
    let image = image::build("2.0.0", 5_000, 3).expect("fits");
    rig.push(&image, 1_024);
    rig.execute("/5/0/2");
    rig.until("again", |rig| rig.registrations() == 2);
    rig.until_registered();
    rig.run(5);
    let number = |id, value| (format!("/5/0/{id}"), Value::Integer(value));
    let step = |state, result| vec![number(3, state), number(5, result)];
    let version = ("/3/0/3".to_owned(), Value::String("2.0.0".to_owned()));
    let mut success = vec![version];
    success.extend(step(0, 1));
    assert_eq!(rig.sent(), [step(1, 0), step(2, 0), step(3, 0), success]);
    // After the reboot only once there is a registration again.
    let places: Vec<&str> = rig.requests.iter().map(|(_, path)| path.as_str()).collect();
    let last = places
        .iter()
        .rposition(|it| it.starts_with("/dp"))
        .expect("some");
    assert!(
        places[..last]
            .iter()
            .rposition(|it| it.starts_with("/rd?"))
            .is_some()
    );
    assert!(places[last - 1].starts_with("/rd?"), "{places:?}");
}

#[test]
fn int_301_thresholds_and_steps() {
    let mut rig = Rig::usual();
    rig.attribute("/1/0/2?gt=50");
    let id = rig.observe("/1/0/2");
    for value in ["10", "40", "60", "70", "30"] {
        rig.put("/1/0/2", value);
        // What is written is the default pmin, too.
        rig.run(120);
    }
    assert_eq!(rig.notified(id), ["0", "60", "30"]);
}

/// The first acknowledgement of Register is lost: the device sends the same message again.
#[test]
fn x_reg_12_a_lost_answer_to_register() {
    let mut rig = Rig::usual();
    let mut lost = 0;
    rig.lets_through = Some(Box::new(move |to_device, bytes| {
        let view = MessageView::parse(bytes).expect("good");
        let is_answer = to_device && view.code == Code::CREATED;
        lost += u32::from(is_answer);
        !is_answer || lost > 1
    }));
    rig.device.cut_power(rig.now);
    rig.until("off", |rig| !rig.device.is_on());
    rig.until_registered();
    assert_eq!(
        rig.registrations(),
        2,
        "one request, answered from what is remembered"
    );
    assert_eq!(rig.text("/3/0/3").1, "1.0.0");
}

/// The empty acknowledgement of a separate response gets lost; the response itself is enough.
#[test]
fn x_reg_13_a_separate_response_whose_acknowledgement_is_lost() {
    let mut rig = Rig::usual();
    rig.cut = true;
    rig.device.cut_power(rig.now);
    rig.until("off", |rig| !rig.device.is_on());
    rig.run(5);
    rig.cut = false;
    let device = &mut rig.device;
    assert_eq!(device.phase(), Phase::Registering);
    let mut answer = Message::new(Kind::Confirmable, Code::CREATED, 4_711);
    let token = rig.register_token.expect("it asked");
    answer.token = token;
    answer.options.push(8, b"rd");
    answer.options.push(8, b"separate");
    let sent = rig.raw(&answer);
    assert_eq!((sent[0].kind, sent[0].id), (Kind::Acknowledgement, 4_711));
    assert_eq!(rig.device.phase(), Phase::Registered);
    rig.run(60);
    assert_eq!(rig.registrations(), 1, "it does not send its request again");
}

/// X-COAP-03: four retransmissions, 2 to 3 s and then doubling.
#[test]
fn x_coap_03_the_schedule_of_retransmissions() {
    let mut rig = Rig::usual();
    rig.cut = true;
    rig.device.wake(rig.now);
    let begin = rig.now;
    let mut sent = Vec::new();
    while rig.now < begin + std::time::Duration::from_secs(60) {
        let now = rig.now;
        while let Some(transmit) = rig.device.poll_transmit() {
            sent.push((now - begin, transmit.payload));
        }
        let next = rig.device.poll_timeout().expect("it waits");
        rig.now = next;
        rig.device.handle_timeout(next);
    }
    assert!(sent.len() >= 5);
    assert!(sent[..5].iter().all(|(_, bytes)| *bytes == sent[0].1));
    let waits: Vec<f64> = sent[..5]
        .windows(2)
        .map(|it| (it[1].0 - it[0].0).as_secs_f64())
        .collect();
    assert!((2.0..=3.0).contains(&waits[0]), "{waits:?}");
    for pair in waits.windows(2) {
        assert!((pair[1] / pair[0] - 2.0).abs() < 0.001, "{waits:?}");
    }
}
