//! What the page shows of every message before anybody opens it: one list for each property, texts
//! by number. 200,000 messages so take a few megabytes, and the browser reads them in one go.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use fotalab_wire::coap::message::Code;
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

use super::{
    exchange::Exchanges,
    http::{OverHttp, without_host},
    island::Packer,
    pieces::Taking,
    strings::Strings,
    transfer::Transfer,
};
use crate::{
    run::ScenarioRecord,
    trace::{Datagram, Kind, Lane, Message, Outcome, StepPlace, code_name},
};

/// The messages of one feature.
#[derive(Debug, Default, Serialize)]
pub(super) struct Columns<'a> {
    /// When the first one crossed, milliseconds since 1970.
    began: i64,
    /// Milliseconds after the message before.
    after: Vec<i64>,
    /// Into `lanes`.
    lane: Vec<u32>,
    /// 0 a request, 1 an answer, 2 about a connection.
    kind: Vec<u8>,
    /// The step at work, counted through the feature from 1; 0 between steps.
    step: Vec<u32>,
    /// Into `devices`, from 1; 0 for none.
    device: Vec<u32>,
    /// Into `strings`: a method, a status, a CoAP code.
    code: Vec<u32>,
    /// Into `strings`: the line for people.
    text: Vec<u32>,
    /// Bytes of the body, or of the datagram.
    size: Vec<u64>,
    /// 1 when it goes to the server under test.
    inward: Vec<u8>,
    /// What became of a datagram: 0 delivered, 1 lost, 2 duplicated, 3 corrupted, 4 late.
    fate: Vec<u8>,
    /// 1 when it was sent before.
    again: Vec<u8>,
    /// How many messages before is the request that it answers; 0 for none.
    answers: Vec<u32>,
    /// Into `transfers`, from 1; 0 for none.
    transfer: Vec<u32>,
    /// What is in it, into the feature's different contents; absent where all differ.
    detail: Vec<u32>,
    lanes: Words<'a>,
    devices: Words<'a>,
    transfers: Vec<Transfer>,
    /// [`Columns::write`] does them.
    #[serde(skip)]
    strings: Strings<'a>,
    /// Where a name stands in memory, where messages keep it, to its number in `devices`.
    #[serde(skip)]
    places: HashMap<usize, usize, foldhash::fast::FixedState>,
    /// Where `strings` has a code of CoAP.
    #[serde(skip)]
    codes: BTreeMap<Code, u32>,
}

/// What is known of the messages of a feature beside what the page packs.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) messages: usize,
    /// Devices that take part.
    pub(super) devices: usize,
    /// Datagrams that were lost.
    pub(super) lost: usize,
}

/// Texts by number.
type Words<'a> = IndexSet<Cow<'a, str>, foldhash::fast::FixedState>;

impl<'a> Columns<'a> {
    /// Of so many messages of these scenarios, in their order. What is in them, `contents` takes.
    pub(super) fn of(
        scenarios: &'a [ScenarioRecord],
        count: usize,
        messages: impl Iterator<Item = &'a Message>,
        contents: &mut Taking<'_>,
    ) -> Self {
        let mut columns = Self::default();
        let mut exchanges = Exchanges::default();
        let mut steps = Steps::of(scenarios);
        // Looked up, never walked: polls get the same answer again and again.
        let mut known: HashMap<&str, usize, foldhash::fast::FixedState> = HashMap::default();
        let mut over_http: Vec<OverHttp<'a>> = Vec::new();
        let mut numbers: Vec<usize> = Vec::new();
        let mut before = None;
        columns.make_room(count);
        for (index, message) in messages.enumerate() {
            let last = before.replace(message.at).unwrap_or_else(|| {
                columns.began = message.at;
                message.at
            });
            columns.after.push(message.at.saturating_sub(last));
            columns.step.push(steps.number(message.step.as_ref()));
            let lane = number(columns.lanes.insert_full(message.lane.name().into()).0);
            columns.lane.push(lane);
            columns.kind.push(match message.kind {
                Kind::Request => 0,
                Kind::Answer => 1,
                Kind::Connection => 2,
            });
            if let Some(air) = message.air.as_deref() {
                // Hardly two of them are the same: each has a message ID, but for those sent again.
                columns.detail.push(number(contents.take(message)));
                columns.datagram(index, message, air, &mut exchanges);
                continue;
            }
            let known = *known.entry(&message.detail).or_insert_with(|| {
                numbers.push(contents.take(message));
                over_http.push(OverHttp::of(message));
                over_http.len() - 1
            });
            columns.detail.push(number(numbers[known]));
            columns.message(index, message, &over_http[known], &mut exchanges);
        }
        if contents.count() == columns.lane.len() {
            columns.detail.clear();
        }
        columns.transfers = exchanges.transfers;
        columns.forget_empty();
        columns
    }

    /// As the page has them, and what else is known.
    pub(super) fn packed(self, packer: &mut Packer) -> (String, Counts) {
        let packed = match self.lane.len() {
            0 => String::new(),
            _ => {
                self.write(&mut packer.plain);
                packer.packed()
            }
        };
        let counts = Counts {
            messages: self.lane.len(),
            devices: self.devices.len(),
            lost: self.fate.iter().filter(|&&it| it == 1).count(),
        };
        (packed, counts)
    }

    /// As JSON.
    fn write(&self, out: &mut Vec<u8>) {
        // In memory there is nothing that could fail.
        drop(serde_json::to_writer(&mut *out, self));
        // Into the object.
        out.pop();
        out.extend_from_slice(b",\"strings\":[");
        out.extend_from_slice(&self.strings.json);
        out.extend_from_slice(b"]}");
    }

    fn make_room(&mut self, messages: usize) {
        for list in [
            &mut self.lane,
            &mut self.step,
            &mut self.device,
            &mut self.code,
            &mut self.text,
            &mut self.answers,
            &mut self.transfer,
            &mut self.detail,
        ] {
            list.reserve_exact(messages);
        }
        for list in [
            &mut self.kind,
            &mut self.inward,
            &mut self.fate,
            &mut self.again,
        ] {
            list.reserve_exact(messages);
        }
        self.after.reserve_exact(messages);
        self.size.reserve_exact(messages);
    }

    fn datagram(
        &mut self,
        index: usize,
        message: &'a Message,
        air: &'a Datagram,
        exchanges: &mut Exchanges<'a>,
    ) {
        let device = self.number_of(&air.device);
        let role = exchanges.datagram(index, device, air);
        let again = role.again || air.retransmission;
        self.device.push(number(device) + 1);
        let code = self.code_of(message, air);
        self.code.push(code);
        self.text.push(self.strings.number(&message.summary));
        self.size.push(air.bytes);
        self.inward.push(u8::from(air.up));
        self.fate.push(match air.outcome {
            Outcome::Delivered => 0,
            Outcome::Lost => 1,
            Outcome::Duplicated => 2,
            Outcome::Corrupted => 3,
            Outcome::Late => 4,
        });
        self.again.push(u8::from(again));
        self.answers
            .push(role.answers.map_or(0, |it| number(index - it)));
        self.transfer
            .push(role.transfer.map_or(0, |it| number(it) + 1));
        if let Some(transfer) = role.transfer {
            exchanges.transfers[transfer].take(index, air, again);
        }
    }

    /// The number of a device. Messages of one device share its name, mostly.
    fn number_of(&mut self, device: &'a Arc<str>) -> usize {
        let place = device.as_ptr().addr();
        let devices = &mut self.devices;
        let known = self.places.entry(place);
        *known.or_insert_with(|| devices.insert_full((&**device).into()).0)
    }

    fn code_of(&mut self, message: &'a Message, air: &Datagram) -> u32 {
        let strings = &mut self.strings;
        if let Some(coap) = &air.coap {
            let known = self.codes.entry(coap.code);
            return *known.or_insert_with(|| strings.number(code_name(coap.code)));
        }
        strings.number(strange_code(&message.detail).unwrap_or_default())
    }

    fn message(
        &mut self,
        index: usize,
        message: &'a Message,
        http: &OverHttp<'a>,
        exchanges: &mut Exchanges<'a>,
    ) {
        self.code.push(self.strings.number(http.code.clone()));
        let text = without_host(&message.summary);
        self.text.push(self.strings.number(text));
        self.device.push(0);
        let length = match &*message.detail {
            "null" => 0,
            detail => detail.len() as u64,
        };
        self.size.push(match message.kind {
            Kind::Connection => 0,
            _ => http.bytes.unwrap_or(length),
        });
        let of_server = message.lane == Lane::Upstream;
        self.inward
            .push(u8::from((message.kind == Kind::Request) != of_server));
        self.fate.push(0);
        self.again.push(0);
        let answers = match message.lane {
            Lane::Rest | Lane::Upstream => exchanges.http(index, message.lane, message.kind),
            _ => None,
        };
        self.answers
            .push(answers.map_or(0, |it| number(index - it)));
        self.transfer.push(0);
    }

    /// A property that no message has needs no list.
    fn forget_empty(&mut self) {
        for list in [&mut self.fate, &mut self.again] {
            if list.iter().all(|it| *it == 0) {
                list.clear();
            }
        }
        for list in [&mut self.answers, &mut self.transfer, &mut self.device] {
            if list.iter().all(|it| *it == 0) {
                list.clear();
            }
        }
    }
}

/// The code of a CoAP message that was understood in part only.
fn strange_code(detail: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Air<'a> {
        #[serde(borrow)]
        coap: Option<Coap<'a>>,
    }
    #[derive(Deserialize)]
    struct Coap<'a> {
        #[serde(borrow)]
        code: Cow<'a, str>,
    }
    let air: Air<'_> = serde_json::from_str(detail).ok()?;
    air.coap.map(|it| it.code)
}

/// Finds the number of a step in its feature.
struct Steps<'a> {
    numbers: BTreeMap<(&'a str, usize), u32>,
    /// Messages of one step come one after the other.
    last: Option<(Arc<str>, usize, u32)>,
}

impl<'a> Steps<'a> {
    fn of(scenarios: &'a [ScenarioRecord]) -> Self {
        let steps = scenarios.iter().flat_map(|scenario| {
            let places = scenario.steps.iter().map(|it| it.line);
            places.map(|line| (scenario.id.as_str(), line))
        });
        Self {
            numbers: steps.zip(1..).collect(),
            last: None,
        }
    }

    fn number(&mut self, place: Option<&StepPlace>) -> u32 {
        let Some(place) = place else { return 0 };
        if let Some((scenario, line, number)) = &self.last
            && Arc::ptr_eq(scenario, &place.scenario)
            && *line == place.line
        {
            return *number;
        }
        let number = self.numbers.get(&(&*place.scenario, place.line));
        let number = number.copied().unwrap_or(0);
        self.last = Some((Arc::clone(&place.scenario), place.line, number));
        number
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
