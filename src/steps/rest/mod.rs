//! REST: a request is declared, and sent by the first assertion on its answer.

mod answer;
mod body;
mod request;

use bytes::Bytes;
use fotalab_wire::net::http as client;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use serde_json::{Value, json};

use crate::{
    run::{Lab, Mismatch, StepError},
    trace::{self, Kind, Lane},
};

/// The largest answer a REST step takes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What REST steps keep between them.
#[derive(Default)]
struct Rest {
    next_headers: Vec<(String, String)>,
    form: Vec<body::Part>,
    forms_made: u32,
    declared: Option<Declared>,
}

/// A request as it was declared, and its newest answer.
#[derive(Clone)]
struct Declared {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    /// It may be sent again though its method is not safe: its sentence says `retrying`.
    retrying: bool,
    sent: u32,
    answer: Option<Answer>,
}

/// An answer, read whole.
#[derive(Clone)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    /// The body, where `Content-Type` says that it is JSON.
    json: Option<Value>,
}

/// Declares the next request; nothing is sent yet.
fn declare(
    lab: &mut Lab,
    method: &str,
    url: String,
    content: Option<(String, Bytes)>,
    retries: &str,
) -> Result<(), StepError> {
    let Ok(method) = method.parse::<Method>() else {
        return lab.fail(Mismatch::new(format!("`{method}` is not an HTTP method")));
    };
    let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
    let (content_type, body) = content.unzip();
    headers.extend(content_type.map(|it| ("Content-Type".to_owned(), it)));
    let next_headers = std::mem::take(&mut lab.state::<Rest>().next_headers);
    for (name, value) in next_headers {
        headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        headers.push((name, value));
    }
    let body = body.unwrap_or_default();
    let secrets = &lab.equipment.secrets;
    secrets.learn_url(&url);
    secrets.learn(&trace::body(&body));
    for (name, value) in &headers {
        secrets.learn_header(name, value);
    }
    lab.state::<Rest>().declared = Some(Declared {
        method,
        url,
        headers,
        body,
        retrying: !retries.is_empty(),
        sent: 0,
        answer: None,
    });
    lab.retrying = retries.parse().ok();
    Ok(())
}

/// The answer to the last declared request: sent now if it was not, sent again on a later attempt
/// if that is safe or its own sentence says so.
async fn answer(lab: &mut Lab) -> Result<Answer, StepError> {
    let number = lab.attempt.number;
    let Some(mut declared) = lab.state::<Rest>().declared.clone() else {
        return lab.fail(
            Mismatch::new("there is no request yet")
                .help("declare one first: When I `GET` `${APIURL}/…`"),
        );
    };
    let may_repeat = matches!(declared.method, Method::GET | Method::HEAD) || declared.retrying;
    if let Some(answer) = declared
        .answer
        .as_ref()
        .filter(|_| number == 1 || !may_repeat)
    {
        if number > 1 {
            lab.note(format!(
                "{} is not sent again by a retry; its own sentence has to say `retrying N times`",
                declared.method
            ));
        }
        return Ok(answer.clone());
    }
    declared.sent += 1;
    lab.state::<Rest>().declared = Some(declared.clone());
    let answer = send(lab, &declared).await?;
    declared.answer = Some(answer.clone());
    lab.state::<Rest>().declared = Some(declared);
    Ok(answer)
}

async fn send(lab: &mut Lab, declared: &Declared) -> Result<Answer, StepError> {
    let request = match build(declared) {
        Ok(request) => request,
        Err(why) => return lab.fail(Mismatch::new(why)),
    };
    let summary = format!("{} {}", declared.method, declared.url);
    let secrets = lab.equipment.secrets.clone();
    let detail = json!({
        "method": declared.method.as_str(), "url": declared.url, "headers": trace::headers(request.headers()),
        "bytes": declared.body.len(), "body": trace::body(&declared.body),
    });
    lab.trace()
        .record(Lane::Rest, Kind::Request, &summary, detail);
    let network = lab.network();
    let answer = match client::send(&*network, request, MAX_ANSWER_BYTES).await {
        Ok(answer) => answer,
        Err(error) => {
            lab.trace().record(
                Lane::Rest,
                Kind::Connection,
                format!("no answer: {error}"),
                Value::Null,
            );
            return lab.fail(Mismatch::new(format!("{summary} got no answer: {error}")));
        }
    };
    let (parts, body) = answer.into_parts();
    let is_json = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .is_some_and(|it| it.to_ascii_lowercase().contains("json"));
    let detail = json!({
        "status": parts.status.as_u16(), "headers": trace::headers(&parts.headers),
        "bytes": body.len(), "body": trace::body(&body),
    });
    lab.trace().record(
        Lane::Rest,
        Kind::Answer,
        format!("{} {summary}", parts.status.as_u16()),
        detail,
    );
    secrets.learn(&trace::body(&body));
    let json = if is_json {
        serde_json::from_slice(&body).ok()
    } else {
        None
    };
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
        json,
    })
}

fn build(declared: &Declared) -> Result<Request<Bytes>, String> {
    let mut request = Request::builder()
        .method(declared.method.clone())
        .uri(&declared.url)
        .body(declared.body.clone())
        .map_err(|error| format!("`{}` is not a URL that can be asked: {error}", declared.url))?;
    for (name, value) in &declared.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .zip(HeaderValue::from_str(value).ok());
        let (name, value) =
            parsed.ok_or_else(|| format!("`{name}: {value}` is not an HTTP header"))?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// What helps to understand an answer that is not as it should be.
fn said(answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let short: String = body.chars().take(600).collect();
    let more = if short.len() < body.len() { " …" } else { "" };
    match short.as_str() {
        "" => format!("the answer was {} without a body", answer.status),
        body => format!("the answer was {}: {body}{more}", answer.status),
    }
}
