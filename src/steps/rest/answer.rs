//! Asserting on answers.

use cucumber::then;
use jsonpath_rust::JsonPath as _;
use serde_json::{Value, json};

use super::{Answer, answer, said};
use crate::{
    catalogue,
    plan::BlockNeed,
    run::{Lab, Mismatch, StepError, StepResult},
    steps::{
        matching::{Rule, differences},
        schemas,
    },
};

catalogue! {
    sentence: "I should receive a `URL` response",
    does: "The body's @context is this URL, and the body fulfils the JSON Schema that fotalab holds for it, if any.",
    example: "When I `GET` `${APIURL}/health`\n\nThen I should receive a `https://github.com/hello-nrfcloud/proto/api/health` response",
}
#[then(regex = r"^I should receive a `(?P<context>https?://[^`]+)` response$")]
async fn typed(lab: &mut Lab, context: String) -> StepResult {
    let answer = answer(lab).await?;
    let body = answer.json.clone().unwrap_or(Value::Null);
    let found = differences(Rule::Partial, &json!({ "@context": context }), Some(&body));
    lab.expect(found.is_empty(), || {
        Mismatch::new(format!("the answer is not a `{context}`"))
            .differences(found)
            .note(said(&answer))
    })?;
    let broken = schemas::violations(&context, &body);
    lab.expect(broken.is_empty(), || {
        let mismatch = Mismatch::new(format!(
            "the answer does not fulfil the schema of `{context}`"
        ));
        broken
            .into_iter()
            .fold(mismatch, Mismatch::note)
            .note(said(&answer))
    })
}

catalogue! {
    sentence: "the status code of the last response should be `CODE`",
    does: "Compares the HTTP status.",
    example: "When I `GET` `${APIURL}/health`\n\nThen the status code of the last response should be `200`",
}
#[then(regex = r"^the status code of the last response should be `(?P<status>\d+)`$")]
async fn status_is(lab: &mut Lab, status: String) -> StepResult {
    let answer = answer(lab).await?;
    let expected: u32 = status.parse().unwrap_or_default();
    lab.expect(u32::from(answer.status) == expected, || {
        Mismatch::between("the status code is another one", expected, answer.status)
            .note(said(&answer))
    })
}

catalogue! {
    sentence: "the `NAME` header of the last response should (be|match) `VALUE`",
    does: "Compares a header's value, or looks for a regular expression in it.",
    example: "When I `GET` `${APIURL}/health`\n\nThen the `Content-Type` header of the last response should match `^application/json`",
}
#[then(
    regex = r"^the `(?P<header>[^`]+)` header of the last response should (?P<how>be|match) `(?P<value>[^`]+)`$"
)]
async fn header_is(lab: &mut Lab, header: String, how: String, value: String) -> StepResult {
    let answer = answer(lab).await?;
    let actual: Vec<String> = answer
        .headers
        .get_all(header.as_str())
        .iter()
        .map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned())
        .collect();
    let holds = if how == "be" {
        actual.contains(&value)
    } else {
        match regex::Regex::new(&value) {
            Ok(pattern) => actual.iter().any(|it| pattern.is_match(it)),
            Err(error) => {
                return lab.fail(Mismatch::new(format!(
                    "`{value}` is not a regular expression: {error}"
                )));
            }
        }
    };
    lab.expect(holds, || {
        let message = format!("the header `{header}` is not what it should be");
        let there = if actual.is_empty() {
            Value::Null
        } else {
            json!(actual.join(", "))
        };
        Mismatch::between(message, value, there)
    })
}

catalogue! {
    sentence: "the last response should have no `NAME` header",
    does: "Holds when the header is absent.",
    example: "When I `GET` `${APIURL}/health`\n\nThen the last response should have no `Set-Cookie` header",
}
#[then(regex = r"^the last response should have no `(?P<header>[^`]+)` header$")]
async fn no_header(lab: &mut Lab, header: String) -> StepResult {
    let answer = answer(lab).await?;
    let there = answer
        .headers
        .get(header.as_str())
        .map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
    lab.expect(there.is_none(), || {
        Mismatch::between(
            format!("there is a header `{header}`"),
            Value::Null,
            there.unwrap_or_default(),
        )
    })
}

catalogue! {
    sentence: "the last response should have no body",
    does: "Holds when the answer has no body.",
    example: "When I `OPTIONS` `${APIURL}/health`\n\nThen the last response should have no body",
}
#[then(regex = r"^the last response should have no body$")]
async fn no_body(lab: &mut Lab) -> StepResult {
    let answer = answer(lab).await?;
    lab.expect(answer.body.is_empty(), || {
        Mismatch::new("there is a body").note(said(&answer))
    })
}

catalogue! {
    sentence: "[`JSONATA` of ]the last response should match",
    does: "The body, or what JSONata takes from it, has everything the code block has: objects may have more keys, arrays are compared whole.",
    example: "When I `GET` `${APIURL}/health`\n\nThen the last response should match\n\n```json\n{ \"@context\": \"https://github.com/hello-nrfcloud/proto/api/health\" }\n```\n\nAnd `$keys($)[0]` of the last response should match\n\n```json\n\"@context\"\n```",
    block: BlockNeed::Json,
    expressions: &["expression"],
}
#[then(regex = r"^(?:`(?P<expression>[^`]+)` of )?the last response should match$")]
async fn matches(lab: &mut Lab, expression: String) -> StepResult {
    compare(lab, &expression, Rule::Partial).await
}

catalogue! {
    sentence: "[`JSONATA` of ]the last response should equal",
    does: "The body, or what JSONata takes from it, is the code block: nothing more, nothing less.",
    example: "When I `GET` `${APIURL}/health`\n\nThen `{\"context\": $.\"@context\"}` of the last response should equal\n\n```json\n{ \"context\": \"https://github.com/hello-nrfcloud/proto/api/health\" }\n```",
    block: BlockNeed::Json,
    expressions: &["expression"],
}
#[then(regex = r"^(?:`(?P<expression>[^`]+)` of )?the last response should equal$")]
async fn equals(lab: &mut Lab, expression: String) -> StepResult {
    compare(lab, &expression, Rule::Equal).await
}

catalogue! {
    sentence: "I store `JSONATA` of the last response into `NAME`",
    does: "Stores what JSONata takes from the body.",
    example: "When I `GET` `${APIURL}/health`\n\nThen I store `$.version` of the last response into `version`\n\nAnd the variable `$type(version)` should be\n\n```json\n\"string\"\n```",
    stores: &["{name}"],
    expressions: &["expression"],
}
#[then(regex = r"^I store `(?P<expression>[^`]+)` of the last response into `(?P<name>[^`]+)`$")]
async fn store(lab: &mut Lab, expression: String, name: String) -> StepResult {
    let (answer, selected) = select(lab, &expression).await?;
    match selected {
        Some(value) => {
            lab.store(name, value);
            Ok(())
        }
        None => lab.fail(
            Mismatch::new(format!("`{expression}` finds nothing in the answer"))
                .note(said(&answer)),
        ),
    }
}

catalogue! {
    sentence: "(the|all of the) JSONPath `PATH` of the last response should (match|equal)",
    does: "Compares what JSONPath (RFC 9535) selects: exactly one node, or, with `all of`, the list of all nodes.",
    example: "When I `GET` `${APIURL}/health`\n\nThen the JSONPath `$['@context']` of the last response should equal\n\n```json\n\"https://github.com/hello-nrfcloud/proto/api/health\"\n```",
    block: BlockNeed::Json,
    json_paths: &["path"],
}
#[then(
    regex = r"^(?P<all>the|all of the) JSONPath `(?P<path>[^`]+)` of the last response should (?P<how>match|equal)$"
)]
async fn json_path(lab: &mut Lab, all: String, path: String, how: String) -> StepResult {
    let expected = lab.json_block()?;
    let answer = answer(lab).await?;
    let nodes = nodes(lab, &answer, &path)?;
    let actual = if all == "the" {
        one(lab, nodes, &path, &answer)?
    } else {
        Value::Array(nodes)
    };
    let rule = if how == "match" {
        Rule::Partial
    } else {
        Rule::Equal
    };
    let found = differences(rule, &expected, Some(&actual));
    lab.expect(found.is_empty(), || {
        Mismatch::new(format!("`{path}` of the answer is not what it should be"))
            .differences(found)
            .sides(&expected, Some(&actual))
            .note(said(&answer))
    })
}

catalogue! {
    sentence: "I store the JSONPath `PATH` of the last response into `NAME`",
    does: "Stores the one node that JSONPath (RFC 9535) selects.",
    example: "When I `GET` `${APIURL}/health`\n\nThen I store the JSONPath `$.version` of the last response into `version`",
    stores: &["{name}"],
    json_paths: &["path"],
}
#[then(
    regex = r"^I store the JSONPath `(?P<path>[^`]+)` of the last response into `(?P<name>[^`]+)`$"
)]
async fn store_json_path(lab: &mut Lab, path: String, name: String) -> StepResult {
    let answer = answer(lab).await?;
    let nodes = nodes(lab, &answer, &path)?;
    let value = one(lab, nodes, &path, &answer)?;
    lab.store(name, value);
    Ok(())
}

async fn compare(lab: &mut Lab, expression: &str, rule: Rule) -> StepResult {
    let expected = lab.json_block()?;
    let (answer, actual) = if expression.is_empty() {
        let answer = answer(lab).await?;
        let json = answer.json.clone();
        (answer, json)
    } else {
        select(lab, expression).await?
    };
    let whole = if expression.is_empty() {
        "the answer".to_owned()
    } else {
        format!("`{expression}` of the answer")
    };
    let found = differences(rule, &expected, actual.as_ref());
    lab.expect(found.is_empty(), || {
        let message = match (&actual, &answer.json) {
            (_, None) => "the answer is not JSON".to_owned(),
            (None, _) => format!("{whole} is nothing"),
            _ => format!("{whole} is not what it should be"),
        };
        Mismatch::new(message)
            .differences(found)
            .sides(&expected, actual.as_ref())
            .note(said(&answer))
    })
}

async fn select(lab: &mut Lab, expression: &str) -> Result<(Answer, Option<Value>), StepError> {
    let answer = answer(lab).await?;
    let selected = match &answer.json {
        Some(body) => lab.evaluate(expression, body)?,
        None => None,
    };
    Ok((answer, selected))
}

fn nodes(lab: &mut Lab, answer: &Answer, path: &str) -> Result<Vec<Value>, StepError> {
    let body = answer.json.clone().unwrap_or(Value::Null);
    match body.query(path) {
        Ok(nodes) => Ok(nodes.into_iter().cloned().collect()),
        Err(error) => lab.fail(Mismatch::new(format!("`{path}` is not JSONPath: {error}"))),
    }
}

fn one(
    lab: &mut Lab,
    mut nodes: Vec<Value>,
    path: &str,
    answer: &Answer,
) -> Result<Value, StepError> {
    match (nodes.len(), nodes.pop()) {
        (1, Some(node)) => Ok(node),
        (count, _) => lab.fail(
            Mismatch::new(format!(
                "`{path}` selects {count} nodes of the answer, not one"
            ))
            .help("say `all of the JSONPath …` to compare the list of them")
            .note(said(answer)),
        ),
    }
}
