//! What differs between a message as it is written and one that crossed.

use fotalab_wire::coap::Message;
use serde_json::{Value, json};

use super::{CodeNotation, Notation, PayloadNotation, read::form};
use crate::{
    air::{
        Crossing, Outcome, glob,
        show::{hex, option_named, option_value, payload_text, queries},
    },
    run::Difference,
    trace::{code_name, type_name},
};

impl Notation {
    /// Whether a crossing is what is written.
    pub(crate) fn is(&self, crossing: &Crossing) -> bool {
        self.differences(crossing).is_empty()
    }

    /// Where a crossing is not what is written; empty where it is.
    pub(crate) fn differences(&self, crossing: &Crossing) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut differ = |path: &str, expected: Value, actual: Option<Value>| {
            found.push(Difference {
                path: path.to_owned(),
                expected: Some(expected),
                actual,
            });
        };
        if self.up.is_some_and(|up| up != crossing.up) {
            let arrow = |up| json!(if up { "<-" } else { "->" });
            differ("direction", arrow(!crossing.up), Some(arrow(crossing.up)));
        }
        if let Some(outcome) = self.outcome
            && outcome != crossing.outcome
            && (outcome, crossing.outcome) != (Outcome::Delivered, Outcome::Duplicated)
        {
            differ(
                "fate",
                json!(outcome.name()),
                Some(json!(crossing.outcome.name())),
            );
        }
        if self.again && !crossing.retransmission {
            differ("sent again", json!(true), Some(json!(false)));
        }
        let Some(message) = crossing.message() else {
            // The notation `*` alone takes whatever crosses.
            if !self.is_anything() {
                differ("message", json!(self.text), Some(json!(crossing.summary())));
            }
            return found;
        };
        self.compare_head(crossing, &message, &mut differ);
        self.compare_options(&message, &mut differ);
        self.compare_payload(crossing, &message, &mut differ);
        found
    }

    fn is_anything(&self) -> bool {
        self.kind.is_none()
            && self.code == CodeNotation::Any
            && self.path.is_none()
            && self.options.is_empty()
            && self.payload.is_none()
            && self.id.is_none()
            && self.token.is_none()
    }

    fn compare_head(
        &self,
        crossing: &Crossing,
        message: &Message,
        differ: &mut impl FnMut(&str, Value, Option<Value>),
    ) {
        if let Some(kind) = self.kind
            && kind != message.kind
        {
            let is = json!(type_name(message.kind));
            differ("type", json!(type_name(kind)), Some(is));
        }
        let code = match self.code {
            CodeNotation::Any => None,
            CodeNotation::Is(code) if code == message.code => None,
            CodeNotation::Is(code) => Some(code_name(code)),
            CodeNotation::Class(class) if class == message.code.class() => None,
            CodeNotation::Class(class) => Some(format!("{class}.*").into()),
        };
        if let Some(code) = code {
            differ("code", json!(code), Some(json!(code_name(message.code))));
        }
        if let Some(path) = &self.path {
            let there = if message.code.is_request() {
                Some(message.options.path())
            } else {
                crossing.answers.as_ref().map(|it| it.path.clone())
            };
            if !there.as_deref().is_some_and(glob(path)) {
                differ("path", json!(path), there.map(Value::from));
            }
        }
        let there = queries(message);
        for item in &self.query {
            let matches = glob(item);
            if !there.iter().any(|it| matches(it)) {
                differ("query", json!(item), Some(json!(there)));
            }
        }
        let id = message.id.to_string();
        if let Some(wanted) = self.id.as_ref().filter(|it| !glob(it)(&id)) {
            differ("MID", json!(wanted), Some(json!(id)));
        }
        let token = hex(message.token.as_bytes());
        if let Some(wanted) = self.token.as_ref().filter(|it| !glob(it)(&token)) {
            differ("Token", json!(wanted), Some(json!(token)));
        }
    }

    fn compare_options(
        &self,
        message: &Message,
        differ: &mut impl FnMut(&str, Value, Option<Value>),
    ) {
        let there: Vec<(u16, String)> = message
            .options
            .iter()
            .map(|(number, value)| (number, option_value(form(number), value)))
            .collect();
        let mut taken = vec![false; there.len()];
        for (number, wanted) in &self.options {
            let matches = glob(wanted);
            let free = (0..there.len())
                .filter(|at| !taken[*at] && there[*at].0 == *number)
                .find(|at| matches(&there[*at].1));
            match free {
                Some(at) => taken[at] = true,
                None => {
                    let mut same = there.iter().filter(|(it, _)| it == number);
                    let (name, _) = option_named(*number);
                    let is = same.next().map(|(_, value)| json!(value));
                    differ(&name, json!(wanted), is);
                }
            }
        }
        for number in &self.absent {
            if let Some((_, value)) = there.iter().find(|(it, _)| it == number) {
                let (name, _) = option_named(*number);
                differ(&name, Value::Null, Some(json!(value)));
            }
        }
    }

    fn compare_payload(
        &self,
        crossing: &Crossing,
        message: &Message,
        differ: &mut impl FnMut(&str, Value, Option<Value>),
    ) {
        let payload = &message.payload;
        let shown = || Some(json!(payload_text(crossing, message)));
        match &self.payload {
            Some(PayloadNotation::Empty) if !payload.is_empty() => {
                differ("payload", json!(""), shown());
            }
            Some(PayloadNotation::Length(length)) if payload.len() != *length => {
                let is = format!("{} bytes", payload.len());
                differ("payload", json!(format!("{length} bytes")), Some(json!(is)));
            }
            Some(PayloadNotation::Bytes(bytes)) if payload != bytes => {
                let is = format!("hex:{}", hex(payload));
                let wanted = format!("hex:{}", hex(bytes));
                differ("payload", json!(wanted), Some(json!(is)));
            }
            Some(PayloadNotation::Value(path, wanted)) => {
                let values = crossing.values(message);
                let (of_path, of_value) = (glob(path), glob(wanted));
                let is = values.iter().any(|(path, value)| {
                    of_path(path) && (of_value(&plain(value)) || of_value(&value.to_string()))
                });
                // Text that is no value can be written so, too.
                let as_text =
                    std::str::from_utf8(payload).is_ok_and(glob(&format!("{path} = {wanted}")));
                if !is && !as_text {
                    differ("payload", json!(format!("{path} = {wanted}")), shown());
                }
            }
            Some(PayloadNotation::Text(text)) => {
                let is = std::str::from_utf8(payload).is_ok_and(glob(text));
                let anything = text == "*" && !payload.is_empty();
                if !is && !anything {
                    differ("payload", json!(text), shown());
                }
            }
            _ => {}
        }
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
