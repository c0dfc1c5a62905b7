//! Runs made by hand, as `--report` would have kept them: what the page has to stand, without the
//! hours in which it happens.

use serde_json::{Value, json};

/// `report.json` and `trace.ndjson` of a run with one feature.
pub(crate) struct Made {
    steps: Vec<Value>,
    messages: Vec<Value>,
    title: String,
    at: i64,
    /// Where the messages of the step at work begin.
    from: usize,
    dice: u64,
}

/// What becomes of a datagram, and what it carries.
pub(crate) struct Air<'a> {
    pub(crate) device: &'a str,
    pub(crate) up: bool,
    pub(crate) kind: &'a str,
    pub(crate) code: &'a str,
    pub(crate) mid: u16,
    pub(crate) path: Option<&'a str>,
    pub(crate) block: Option<(u8, u32, bool)>,
    pub(crate) fate: &'a str,
    pub(crate) again: bool,
    pub(crate) payload: usize,
}

const SCENARIO: &str = "made.feature.md::Over the air";
const EPOCH: i64 = 1_767_225_600_000;

impl Made {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            steps: Vec::new(),
            messages: Vec::new(),
            title: title.to_owned(),
            at: EPOCH,
            from: 0,
            dice: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// A number below `below`; the same ones each time.
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % below
    }

    pub(crate) fn wait(&mut self, millis: i64) {
        self.at += millis;
    }

    fn line(&self) -> usize {
        5 + 2 * self.steps.len()
    }

    pub(crate) fn message(&mut self, lane: &str, kind: &str, summary: &str, detail: Value) {
        let line = self.line();
        self.messages.push(json!({
            "schema": 1, "feature": 0, "seq": self.messages.len(), "at": self.at,
            "lane": lane, "kind": kind, "step": { "scenario": SCENARIO, "line": line },
            "summary": summary, "detail": detail,
        }));
    }

    pub(crate) fn air(&mut self, air: &Air<'_>) {
        let block = |kind: u8| {
            let (of, num, more) = air.block?;
            (of == kind).then(|| json!({ "num": num, "more": more, "size": 512 }))
        };
        let blocks = air.block.map_or_else(String::new, |(kind, num, more)| {
            format!(" Block{kind}:{num}/{}/512", u8::from(more))
        });
        let path = air.path.map_or_else(String::new, |it| format!(" {it}"));
        let bytes: String = (0..air.payload)
            .map(|_| format!("{:02x}", self.roll(256)))
            .collect();
        let token = format!("{:04x}", air.mid);
        let request = air.code.starts_with(|it: char| it.is_ascii_alphabetic());
        let detail = json!({
            "device": air.device, "direction": if air.up { "up" } else { "down" },
            "from": "127.0.0.1:5683", "to": "127.0.1.7:40000", "transport": "udp",
            "bytes": air.payload + 24, "fate": air.fate, "retransmission": air.again,
            "coap": {
                "type": air.kind, "code": air.code, "mid": air.mid, "token": token, "path": air.path,
                "query": [], "options": [{ "name": "Uri-Path", "value": "5" }],
                "block1": block(1), "block2": block(2), "format": 42,
                "payload": { "length": air.payload, "hex": bytes },
            },
            "raw": format!("4401{token}{bytes}"),
        });
        let kind = if request { "request" } else { "answer" };
        let summary = format!("{} {}{path}{blocks}", air.kind, air.code);
        self.message("air", kind, &summary, detail);
    }

    /// Ends the step at work.
    pub(crate) fn step(&mut self, title: &str, verdict: &str, extra: Value) {
        let mut step = json!({
            "keyword": "When", "title": title, "line": self.line(), "column": 1, "verdict": verdict,
            "attempts": [{ "number": 1, "at_ms": 0 }], "messages": [self.from, self.messages.len()],
            "clock_ms": 1000,
        });
        if let (Some(step), Value::Object(extra)) = (step.as_object_mut(), extra) {
            step.extend(extra);
        }
        self.steps.push(step);
        self.from = self.messages.len();
    }

    /// The two files.
    pub(crate) fn files(self) -> (String, String) {
        let failed = self.steps.iter().any(|it| it["verdict"] == "failed");
        let verdict = if failed { "failed" } else { "passed" };
        let mut source = format!("# {}\n\n## Over the air\n\n", self.title);
        for step in &self.steps {
            source.push_str(&format!(
                "When {}\n\n",
                step["title"].as_str().unwrap_or_default()
            ));
        }
        let report = json!({
            "schema": 1, "fotalab": "0.1.0", "seed": 7, "target": "embedded", "took_ms": 1234, "interrupted": false,
            "features": [{
                "path": "made.feature.md", "title": self.title, "source": source, "clock": "virtual",
                "verdict": verdict, "took_ms": 900, "clock_ms": self.at - EPOCH,
                "scenarios": [{
                    "id": SCENARIO, "title": "Over the air", "line": 3, "prerequisite": false, "verdict": verdict,
                    "tags": ["@air"], "took_ms": 900, "steps": self.steps,
                }],
                "messages_dropped": 0,
            }],
        });
        let lines = self.messages.iter().map(|it| format!("{it}\n"));
        (format!("{report:#}\n"), lines.collect())
    }
}

/// A push of 64 blocks over a network that loses, doubles and delays; it fails in the end.
pub(crate) fn lossy_push() -> (String, String) {
    let mut made = Made::new("A lossy push");
    let device = "meter-7";
    let air = |up, kind, code, mid, path| Air {
        device,
        up,
        kind,
        code,
        mid,
        path,
        block: None,
        fate: "delivered",
        again: false,
        payload: 12,
    };
    made.air(&air(true, "CON", "POST", 900, Some("/rd")));
    made.air(&air(false, "ACK", "2.01", 900, None));
    made.step("`meter-7` registers", "passed", json!({}));
    made.message(
        "rest",
        "request",
        "POST http://127.0.0.1:1/admin/updates",
        json!({ "method": "POST", "url": "http://127.0.0.1:1/admin/updates", "headers": {}, "bytes": 40,
            "body": { "device": device, "image": "i1" } }),
    );
    made.message(
        "rest",
        "answer",
        "201 POST http://127.0.0.1:1/admin/updates",
        json!({ "status": 201, "headers": {}, "bytes": 30, "body": { "id": "u1", "state": "queued" } }),
    );
    made.step("I ask for an update of it", "passed", json!({}));
    for num in 0..64_u32 {
        let mid = 1000 + u16::try_from(num).expect("64");
        let mut again = false;
        loop {
            let fate = match made.roll(12) {
                0 | 1 => "lost",
                2 => "duplicated",
                3 => "late",
                _ => "delivered",
            };
            let put = Air {
                block: Some((1, num, num < 63)),
                fate,
                again,
                payload: 512,
                ..air(false, "CON", "PUT", mid, Some("/5/0/0"))
            };
            made.air(&put);
            made.wait(40);
            let answer = Air {
                block: Some((1, num, num < 63)),
                fate: if made.roll(16) == 0 {
                    "lost"
                } else {
                    "delivered"
                },
                again,
                payload: 0,
                ..air(
                    true,
                    "ACK",
                    if num < 63 { "2.31" } else { "2.04" },
                    mid,
                    None,
                )
            };
            if fate != "lost" {
                made.air(&answer);
                made.wait(40);
            }
            if fate != "lost" && answer.fate != "lost" {
                break;
            }
            again = true;
            made.wait(2400);
        }
    }
    let mismatch = json!({
        "message": "the firmware of `meter-7` is not what it should be",
        "differences": [{ "path": "$.state", "expected": 3, "actual": 2 }],
    });
    made.step(
        "soon the firmware of `meter-7` should be `2.0.0`",
        "failed",
        json!({
            "attempts": [{ "number": 1, "at_ms": 0, "mismatch": mismatch }, { "number": 2, "at_ms": 9000, "mismatch": mismatch }],
            "waiting": ["device meter-7 sleeps until 12:04:33 (queue mode, awake window closed 12:01:06); Write /5/0/1 is queued for it; nothing is wrong yet"],
        }),
    );
    made.files()
}

/// So many devices fetch an image, in so many messages altogether.
pub(crate) fn fleet(devices: usize, messages: usize) -> (String, String) {
    let mut made = Made::new("A fleet");
    let names: Vec<String> = (0..devices).map(|it| format!("meter-{it:04}")).collect();
    let mut nums = vec![0_u32; devices];
    let mut mids = vec![1_u16; devices];
    while made.messages.len() < messages {
        let which = usize::try_from(made.roll(devices as u64)).expect("an index");
        let device = names[which].as_str();
        let (num, mid) = (nums[which], mids[which]);
        mids[which] = mid.wrapping_add(1);
        made.wait(i64::from(made.messages.len().is_multiple_of(3)));
        let lost = made.roll(20) == 0;
        let request = Air {
            device,
            up: true,
            kind: "CON",
            code: "GET",
            mid,
            path: Some("/fw/1"),
            block: Some((2, num, false)),
            fate: if lost { "lost" } else { "delivered" },
            again: false,
            payload: 0,
        };
        made.air(&request);
        if lost {
            continue;
        }
        made.air(&Air {
            up: false,
            kind: "ACK",
            code: "2.05",
            path: None,
            block: Some((2, num, num < 127)),
            fate: "delivered",
            payload: 256,
            ..request
        });
        nums[which] = if num == 127 { 0 } else { num + 1 };
    }
    made.messages.truncate(messages);
    made.step("all devices fetch the image", "passed", json!({}));
    made.files()
}
