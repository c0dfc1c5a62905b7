//! What the page shows of every message before anybody opens it: one list for each property, texts
//! by number. 200,000 messages so take a few megabytes, and the browser reads them in one go.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

use super::{exchange::Exchanges, transfer::Transfer};
use crate::{
    report::{Line, Place},
    run::FeatureRecord,
    trace::{Datagram, Kind},
};

/// The messages of one feature.
#[derive(Debug, Default, Serialize)]
pub(super) struct Columns {
    /// When the first one crossed, milliseconds since 1970.
    pub(super) began: i64,
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
    pub(super) code: Vec<u32>,
    /// Into `strings`: the line for people.
    text: Vec<u32>,
    /// Bytes of the body, or of the datagram.
    size: Vec<u64>,
    /// 1 when it goes to the server under test.
    inward: Vec<u8>,
    /// Into [`FATES`].
    fate: Vec<u8>,
    /// 1 when it was sent before.
    again: Vec<u8>,
    /// How many messages before is the request that it answers; 0 for none.
    answers: Vec<u32>,
    /// Into `transfers`, from 1; 0 for none.
    transfer: Vec<u32>,
    /// What is in it, into the feature's different contents; absent where all differ.
    detail: Vec<u32>,
    /// The first message of each different content.
    #[serde(skip)]
    pub(super) contents: Vec<usize>,
    lanes: Words,
    devices: Words,
    transfers: Vec<Transfer>,
    pub(super) strings: Words,
}

/// Texts by number.
type Words = IndexSet<String, foldhash::fast::FixedState>;

/// What becomes of a datagram.
const FATES: [&str; 5] = ["delivered", "lost", "duplicated", "corrupted", "late"];

/// The part of a message over HTTP that every row shows.
#[derive(Default, Deserialize)]
struct Http<'a> {
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    bytes: Option<u64>,
}

impl Columns {
    /// Of the messages of a feature, in their order.
    pub(super) fn of(feature: &FeatureRecord, lines: &[Line<'_>]) -> Self {
        let mut columns = Self::default();
        let mut exchanges = Exchanges::default();
        let mut steps = Steps::of(feature);
        // Looked up, never walked: polls get the same answer again and again.
        let mut known: HashMap<&str, usize, foldhash::fast::FixedState> = HashMap::default();
        let mut over_http: Vec<Option<(String, Option<u64>)>> = Vec::new();
        let mut before = lines.first().map_or(0, |it| it.at);
        columns.began = before;
        columns.make_room(lines.len());
        for (index, line) in lines.iter().enumerate() {
            columns.after.push(line.at - before);
            before = line.at;
            columns.step.push(steps.number(line.step.as_ref()));
            let lane = known_as(&mut columns.lanes, &line.lane);
            columns.lane.push(number(lane));
            columns.kind.push(match line.kind {
                Kind::Request => 0,
                Kind::Answer => 1,
                Kind::Connection => 2,
            });
            if let Some(air) = line.datagram() {
                // No two of them are the same: each has a message ID of its own.
                columns.detail.push(number(columns.contents.len()));
                columns.contents.push(index);
                over_http.push(None);
                columns.datagram(index, line, &air, &mut exchanges);
                continue;
            }
            let content = *known.entry(&line.detail).or_insert_with(|| {
                columns.contents.push(index);
                over_http.push(None);
                columns.contents.len() - 1
            });
            columns.detail.push(number(content));
            let http = &mut over_http[content];
            let http = http.get_or_insert_with(|| over_http_of(line));
            columns.message(index, line, (&http.0, http.1), &mut exchanges);
        }
        if columns.contents.len() == lines.len() {
            columns.detail.clear();
        }
        columns.transfers = exchanges.transfers;
        columns.forget_empty();
        columns
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
        self.contents.reserve_exact(messages);
        self.strings.reserve(messages);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lane.len()
    }

    /// How many devices take part.
    pub(super) fn devices(&self) -> usize {
        self.devices.len()
    }

    /// Those of the rows whose fate is a loss, for tests and totals.
    pub(super) fn lost(&self) -> usize {
        self.fate.iter().filter(|&&it| it == 1).count()
    }

    fn datagram(
        &mut self,
        index: usize,
        line: &Line<'_>,
        air: &Datagram<'_>,
        exchanges: &mut Exchanges,
    ) {
        let device = known_as(&mut self.devices, &air.device);
        let role = exchanges.datagram(index, device, air);
        self.device.push(number(device) + 1);
        let code = air.coap.as_ref().map_or("", |it| &it.code);
        self.words(code, &line.summary);
        self.size.push(air.bytes);
        self.inward.push(u8::from(air.direction == "up"));
        let fate = FATES.iter().position(|it| *it == air.fate).unwrap_or(0);
        self.fate.push(u8::try_from(fate).unwrap_or(0));
        self.again.push(u8::from(role.again || air.retransmission));
        self.answers
            .push(role.answers.map_or(0, |it| number(index - it)));
        self.transfer
            .push(role.transfer.map_or(0, |it| number(it) + 1));
        if let Some(transfer) = role.transfer {
            exchanges.transfers[transfer].take(index, air, role.again || air.retransmission);
        }
    }

    fn message(
        &mut self,
        index: usize,
        line: &Line<'_>,
        (code, bytes): (&str, Option<u64>),
        exchanges: &mut Exchanges,
    ) {
        self.words(code, &without_host(&line.summary));
        self.device.push(0);
        let length = match line.detail.as_ref() {
            "null" => 0,
            detail => detail.len() as u64,
        };
        let size = match line.kind {
            Kind::Connection => 0,
            _ => bytes.unwrap_or(length),
        };
        self.size.push(size);
        let of_server = line.lane == "upstream";
        self.inward
            .push(u8::from((line.kind == Kind::Request) != of_server));
        self.fate.push(0);
        self.again.push(0);
        let answers = match line.lane.as_ref() {
            "rest" | "upstream" => exchanges.http(index, &line.lane, line.kind),
            _ => None,
        };
        self.answers
            .push(answers.map_or(0, |it| number(index - it)));
        self.transfer.push(0);
    }

    fn words(&mut self, code: &str, text: &str) {
        let code = number(known_as(&mut self.strings, code));
        // Few lines for people are the same.
        let text = number(self.strings.insert_full(text.to_owned()).0);
        self.code.push(code);
        self.text.push(text);
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

/// The code of a message over HTTP, and the length of its body where it says that.
fn over_http_of(line: &Line<'_>) -> (String, Option<u64>) {
    let http: Http<'_> = match line.lane.as_ref() {
        "rest" | "upstream" => serde_json::from_str(&line.detail).unwrap_or_default(),
        _ => Http::default(),
    };
    let status = http.status.map(|it| it.to_string());
    let method = http.method.map(Cow::into_owned);
    (method.or(status).unwrap_or_default(), http.bytes)
}

/// Finds the number of a step in its feature.
struct Steps {
    numbers: BTreeMap<(String, usize), u32>,
    /// Messages of one step come one after the other.
    last: Option<(String, usize, u32)>,
}

impl Steps {
    fn of(feature: &FeatureRecord) -> Self {
        let steps = feature.scenarios.iter().flat_map(|scenario| {
            let places = scenario.steps.iter().map(|it| it.line);
            places.map(|line| (scenario.id.clone(), line))
        });
        Self {
            numbers: steps.zip(1..).collect(),
            last: None,
        }
    }

    fn number(&mut self, place: Option<&Place<'_>>) -> u32 {
        let Some(place) = place else { return 0 };
        if let Some((scenario, line, number)) = &self.last
            && *scenario == place.scenario
            && *line == place.line
        {
            return *number;
        }
        let key = (place.scenario.to_string(), place.line);
        let number = self.numbers.get(&key).copied().unwrap_or(0);
        self.last = Some((key.0, key.1, number));
        number
    }
}

/// `GET http://host:1/a?b` as `GET /a?b`: who is asked, the lane tells.
pub(in crate::report) fn without_host(summary: &str) -> Cow<'_, str> {
    let Some(at) = summary.find("://") else {
        return Cow::Borrowed(summary);
    };
    let scheme = summary[..at].rfind(' ').map_or(0, |it| it + 1);
    let rest = &summary[at + 3..];
    let end = rest.find(['/', ' ']).unwrap_or(rest.len());
    Cow::Owned(format!("{}{}", &summary[..scheme], &rest[end..]))
}

fn known_as(words: &mut Words, word: &str) -> usize {
    let known = words.get_index_of(word);
    known.unwrap_or_else(|| words.insert_full(word.to_owned()).0)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
