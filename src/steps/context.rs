//! Variables: store a value, make one up.

use cucumber::given;
use fake::{Fake as _, faker::lorem::en::Word};
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::{
    catalogue,
    plan::Waiting,
    run::{Lab, Mismatch, StepResult},
};

catalogue! {
    sentence: "I store `EXPRESSION` into `NAME`",
    does: "Evaluates JSONata over the variables and stores what it gives.",
    example: "Given I store `$millis()` into `ts`\n\nAnd I store `$fromMillis(${ts})` into `tsISO`\n\nThen the variable `tsISO` should be\n\n```json\n\"${$fromMillis(ts)}\"\n```",
    stores: &["{name}"],
    expressions: &["expression"],
    waiting: Waiting::Never,
}
#[given(regex = r"^I store `(?P<expression>[^`]+)` into `(?P<name>[^`]+)`$")]
async fn store(lab: &mut Lab, expression: String, name: String) -> StepResult {
    let variables = Value::Object(lab.variables().clone());
    match lab.evaluate(&expression, &variables)? {
        Some(value) => {
            lab.store(name, value);
            Ok(())
        }
        None => lab.fail(Mismatch::new(format!(
            "`{expression}` gives nothing to store"
        ))),
    }
}

catalogue! {
    sentence: "I have a random (UUIDv4|IMEI|email|cellId|map public device id) in `NAME`",
    does: "Makes up an identity from the run's seed and stores it.",
    example: "Given I have a random UUIDv4 in `jobId`\n\nAnd I have a random IMEI in `imei`\n\nAnd I have a random email in `mail`\n\nThen the variable `imei` should match the pattern `^3500066[0-9]{8}$`",
    stores: &["{name}"],
    waiting: Waiting::Never,
}
#[given(
    regex = r"^I have a random (?P<kind>UUIDv4|IMEI|email|cellId|map public device id) in `(?P<name>[^`]+)`$"
)]
async fn random_id(lab: &mut Lab, kind: String, name: String) -> StepResult {
    let value = match kind.as_str() {
        "UUIDv4" => uuid_v4(lab),
        "IMEI" => imei(lab),
        "cellId" => (10_000_000_u64 + lab.random().random_range(0..100_000_000)).to_string(),
        "email" => email(lab),
        _ => {
            let words: Vec<String> = (0..3).map(|_| Word().fake_with_rng(lab.random())).collect();
            words.join("-")
        }
    };
    lab.store(name, value);
    Ok(())
}

catalogue! {
    sentence: "I have a random number between `LOW` and `HIGH` in `NAME`",
    does: "Makes up a whole number, both bounds included, and stores it as a number.",
    example: "Given I have a random number between `20` and `25` in `temperature`\n\nThen the variable `temperature >= 20 and temperature <= 25` should be\n\n```json\ntrue\n```",
    stores: &["{name}"],
    waiting: Waiting::Never,
}
#[given(
    regex = r"^I have a random number between `(?P<low>-?\d+)` and `(?P<high>-?\d+)` in `(?P<name>[^`]+)`$"
)]
async fn random_number(lab: &mut Lab, low: String, high: String, name: String) -> StepResult {
    let bounds = low.parse::<i64>().ok().zip(high.parse::<i64>().ok());
    let Some((low, high)) = bounds.filter(|(low, high)| low <= high) else {
        return lab.fail(Mismatch::new(format!(
            "there is no whole number between `{low}` and `{high}`"
        )));
    };
    let number = lab.random().random_range(low..=high);
    lab.store(name, number);
    Ok(())
}

catalogue! {
    sentence: "I have a user's email in `NAME`",
    does: "Makes up the address of a user and stores it.",
    example: "Given I have a user's email in `user`\n\nThen the variable `user` should match the pattern `@example\\.com$`",
    stores: &["{name}"],
    waiting: Waiting::Never,
}
#[given(regex = r"^I have a user's email in `(?P<name>[^`]+)`$")]
async fn user_email(lab: &mut Lab, name: String) -> StepResult {
    let value = email(lab);
    lab.store(name, value);
    Ok(())
}

catalogue! {
    sentence: "the variable `EXPRESSION` should be",
    does: "Compares a variable, or JSONata over the variables, with the code block.",
    example: "Given I store `1 + 2` into `sum`\n\nThen the variable `sum` should be\n\n```json\n3\n```",
    block: crate::plan::BlockNeed::Json,
    expressions: &["expression"],
    waiting: Waiting::Never,
}
#[cucumber::then(regex = r"^the variable `(?P<expression>[^`]+)` should be$")]
async fn variable_is(lab: &mut Lab, expression: String) -> StepResult {
    let expected = lab.json_block()?;
    let variables = Value::Object(lab.variables().clone());
    let actual = lab.evaluate(&expression, &variables)?;
    let found =
        super::matching::differences(super::matching::Rule::Equal, &expected, actual.as_ref());
    lab.expect(found.is_empty(), || {
        Mismatch::new(format!(
            "the variable `{expression}` is not what it should be"
        ))
        .differences(found)
        .sides(&expected, actual.as_ref())
    })
}

catalogue! {
    sentence: "the variable `EXPRESSION` should match the pattern `REGEX`",
    does: "Holds when the regular expression finds something in the variable's text.",
    example: "Given I store `\"v2.0.1\"` into `version`\n\nThen the variable `version` should match the pattern `^v[0-9]`",
    expressions: &["expression"],
    patterns: &["pattern"],
    waiting: Waiting::Never,
}
#[cucumber::then(
    regex = r"^the variable `(?P<expression>[^`]+)` should match the pattern `(?P<pattern>[^`]+)`$"
)]
async fn variable_matches(lab: &mut Lab, expression: String, pattern: String) -> StepResult {
    let variables = Value::Object(lab.variables().clone());
    let actual = lab
        .evaluate(&expression, &variables)?
        .unwrap_or(Value::Null);
    let text = actual
        .as_str()
        .map_or_else(|| actual.to_string(), str::to_owned);
    match regex::Regex::new(&pattern) {
        Ok(pattern) => lab.expect(pattern.is_match(&text), || {
            Mismatch::between(
                format!("`{expression}` does not match the pattern"),
                json!(pattern.as_str()),
                json!(text),
            )
        }),
        Err(error) => lab.fail(Mismatch::new(format!(
            "`{pattern}` is not a regular expression: {error}"
        ))),
    }
}

/// A random UUID, version 4 (RFC 9562, 5.4).
fn uuid_v4(lab: &mut Lab) -> String {
    let mut bytes: [u8; 16] = lab.random().random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// An IMEI as the reference's registry makes them: 350006660000000 and up.
pub(super) fn imei(lab: &mut Lab) -> String {
    (350_006_660_000_000_u64 + lab.random().random_range(0..10_000_000)).to_string()
}

fn email(lab: &mut Lab) -> String {
    let local: u32 = (0..=u32::MAX).fake_with_rng(lab.random());
    format!("{local:08x}@example.com")
}
