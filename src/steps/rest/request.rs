//! Declaring requests.

use bytes::Bytes;
use cucumber::{given, when};

use super::{Rest, body, declare};
use crate::{
    catalogue,
    plan::{BlockNeed, Waiting},
    run::{Lab, Mismatch, StepResult},
    steps::image::image_named,
};

catalogue! {
    sentence: "I `METHOD` [to] `URL`[ retrying N times][ with]",
    does: "Declares a request; `with` sends the code block as JSON. The first assertion on its answer sends it. `retrying` sets how often assertions may send it again.",
    example: "When I `GET` `${APIURL}/health` retrying 3 times\n\nThen the status code of the last response should be `200`",
    block: BlockNeed::JsonAfterWith,
    waiting: Waiting::Never,
}
#[when(
    regex = r"^I `(?P<method>GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)`(?: to)? `(?P<url>https?://[^`]+)`(?: retrying (?P<retries>\d+) times)?(?P<with> with)?$"
)]
async fn request(
    lab: &mut Lab,
    method: String,
    url: String,
    retries: String,
    with: String,
) -> StepResult {
    let content = if with.is_empty() {
        None
    } else {
        let compact = lab.json_block()?.to_string();
        // As the dialect's reference spells it.
        Some(("application/json".to_owned(), Bytes::from(compact)))
    };
    declare(lab, &method, url, content, &retries)
}

catalogue! {
    sentence: "the `NAME` header of the next request is `VALUE`",
    does: "Sets a header of the request that is declared next, and of that one only.",
    example: "Given the `Origin` header of the next request is `http://localhost:5173`\n\nWhen I `GET` `${APIURL}/health`\n\nThen the `Access-Control-Allow-Origin` header of the last response should be `http://localhost:5173`",
    waiting: Waiting::Never,
}
#[given(regex = r"^the `(?P<header>[^`]+)` header of the next request is `(?P<value>[^`]+)`$")]
async fn next_header(lab: &mut Lab, header: String, value: String) -> StepResult {
    lab.equipment.secrets.learn_header(&header, &value);
    let headers = &mut lab.state::<Rest>().next_headers;
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&header));
    headers.push((header, value));
    Ok(())
}

catalogue! {
    sentence: "I `METHOD` [to] `URL`[ retrying N times] with this `CONTENT-TYPE` body",
    does: "Declares a request whose body is the code block, byte for byte.",
    example: "Given I have the fingerprint for a `PCA20065` device in `fp`\n\nWhen I `POST` `${APIURL}/device/${fp_deviceId}/fota/app?fingerprint=${fp}` with this `application/json` body\n\n```\n{\"upgradePath\": \n```\n\nThen the status code of the last response should be `400`",
    block: BlockNeed::Text,
    waiting: Waiting::Never,
}
#[when(
    regex = r"^I `(?P<method>POST|PUT|PATCH|DELETE)`(?: to)? `(?P<url>https?://[^`]+)`(?: retrying (?P<retries>\d+) times)? with this `(?P<type>[^`]+)` body$"
)]
async fn raw_body(
    lab: &mut Lab,
    method: String,
    url: String,
    retries: String,
    content_type: String,
) -> StepResult {
    let body = Bytes::from(lab.block()?.code);
    declare(lab, &method, url, Some((content_type, body)), &retries)
}

catalogue! {
    sentence: "I `METHOD` [to] `URL`[ retrying N times] with the file `PATH` as `CONTENT-TYPE`",
    does: "Declares a request whose body is a file; the path is relative to the scenario's.",
    example: "When I `POST` `${MOCKURL}/upload` with the file `README.md` as `text/markdown`\n\nThen the status code of the last response should be `404`",
    files: &["path"],
    waiting: Waiting::Never,
}
#[when(
    regex = r"^I `(?P<method>POST|PUT|PATCH)`(?: to)? `(?P<url>https?://[^`]+)`(?: retrying (?P<retries>\d+) times)? with the file `(?P<path>[^`]+)` as `(?P<type>[^`]+)`$"
)]
async fn file_body(
    lab: &mut Lab,
    method: String,
    url: String,
    retries: String,
    path: String,
    content_type: String,
) -> StepResult {
    let body = body::file(lab, &path)?;
    declare(lab, &method, url, Some((content_type, body)), &retries)
}

catalogue! {
    sentence: "the form field `NAME` of the next request is `VALUE`",
    does: "Adds a field to the multipart form that the next `with the form` sends.",
    example: "Given the form field `version` of the next request is `1.0.1`\n\nWhen I `POST` `${MOCKURL}/form` with the form\n\nThen the status code of the last response should be `404`",
    waiting: Waiting::Never,
}
#[given(regex = r"^the form field `(?P<name>[^`]+)` of the next request is `(?P<value>[^`]*)`$")]
async fn form_field(lab: &mut Lab, name: String, value: String) -> StepResult {
    lab.state::<Rest>()
        .form
        .push(body::Part::field(name, value));
    Ok(())
}

catalogue! {
    sentence: "the form file `NAME` of the next request is the file `PATH`",
    does: "Adds a file from disk to the multipart form; the path is relative to the scenario's.",
    example: "Given the form file `image` of the next request is the file `README.md`\n\nWhen I `POST` `${MOCKURL}/form` with the form\n\nThen the status code of the last response should be `404`",
    files: &["path"],
    waiting: Waiting::Never,
}
#[given(
    regex = r"^the form file `(?P<name>[^`]+)` of the next request is the file `(?P<path>[^`]+)`$"
)]
async fn form_file(lab: &mut Lab, name: String, path: String) -> StepResult {
    let content = body::file(lab, &path)?;
    let file_name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    lab.state::<Rest>()
        .form
        .push(body::Part::file(name, file_name, content));
    Ok(())
}

catalogue! {
    sentence: "the form file `NAME` of the next request is named `FILENAME` and contains",
    does: "Adds a file to the multipart form whose content is the code block.",
    example: "Given the form file `image` of the next request is named `app.bin` and contains\n\n```\nfirmware bytes\n```\n\nWhen I `POST` `${MOCKURL}/form` with the form\n\nThen the status code of the last response should be `404`",
    block: BlockNeed::Text,
    waiting: Waiting::Never,
}
#[given(
    regex = r"^the form file `(?P<name>[^`]+)` of the next request is named `(?P<filename>[^`]+)` and contains$"
)]
async fn form_block(lab: &mut Lab, name: String, filename: String) -> StepResult {
    let content = Bytes::from(lab.block()?.code);
    lab.state::<Rest>()
        .form
        .push(body::Part::file(name, filename, content));
    Ok(())
}

catalogue! {
    sentence: "I `METHOD` [to] `URL`[ retrying N times] with the form",
    does: "Declares a request that sends the form's fields and files as multipart/form-data (RFC 7578).",
    example: "Given the form field `a` of the next request is `1`\n\nWhen I `POST` `${MOCKURL}/form` with the form\n\nThen the status code of the last response should be `404`",
    waiting: Waiting::Never,
}
#[when(
    regex = r"^I `(?P<method>POST|PUT|PATCH)`(?: to)? `(?P<url>https?://[^`]+)`(?: retrying (?P<retries>\d+) times)? with the form$"
)]
async fn form(lab: &mut Lab, method: String, url: String, retries: String) -> StepResult {
    let rest = lab.state::<Rest>();
    if rest.form.is_empty() {
        return lab.fail(
            Mismatch::new("the form is empty")
                .help("add to it: Given the form field `NAME` of the next request is `VALUE`"),
        );
    }
    rest.forms_made += 1;
    let parts = std::mem::take(&mut rest.form);
    let content = body::multipart(&parts, rest.forms_made);
    declare(lab, &method, url, Some(content), &retries)
}

catalogue! {
    sentence: "I `METHOD` [to] `URL`[ retrying N times] with the image `IMAGE`",
    does: "Declares a request whose body is a firmware image, as application/octet-stream.",
    example: "Given there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nAnd the `Authorization` header of the next request is `Bearer ${ADMINTOKEN}`\n\nWhen I `POST` `${ADMINURL}/images` with the image `new`\n\nThen the last response should match\n\n```json\n{ \"sha256\": \"${new_sha256}\", \"length\": 4096 }\n```",
    waiting: Waiting::Never,
}
#[when(
    regex = r"^I `(?P<method>POST|PUT|PATCH)`(?: to)? `(?P<url>https?://[^`]+)`(?: retrying (?P<retries>\d+) times)? with the image `(?P<image>\w+)`$"
)]
async fn with_image(
    lab: &mut Lab,
    method: String,
    url: String,
    retries: String,
    image: String,
) -> StepResult {
    let bytes = image_named(lab, &image)?.bytes;
    let content = ("application/octet-stream".to_owned(), bytes);
    declare(lab, &method, url, Some(content), &retries)
}

catalogue! {
    sentence: "the form file `NAME` of the next request is the image `IMAGE`[ named `FILENAME`]",
    does: "Adds a firmware image to the multipart form; its file name is IMAGE.bin where none is given.",
    example: "Given there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nAnd the form file `image` of the next request is the image `new` named `app.bin`\n\nWhen I `POST` `${MOCKURL}/form` with the form\n\nThen the status code of the last response should be `404`",
    waiting: Waiting::Never,
}
#[given(
    regex = r"^the form file `(?P<name>[^`]+)` of the next request is the image `(?P<image>\w+)`(?: named `(?P<filename>[^`]+)`)?$"
)]
async fn form_image(lab: &mut Lab, name: String, image: String, filename: String) -> StepResult {
    let content = image_named(lab, &image)?.bytes;
    let filename = if filename.is_empty() {
        format!("{image}.bin")
    } else {
        filename
    };
    lab.state::<Rest>()
        .form
        .push(body::Part::file(name, filename, content));
    Ok(())
}
