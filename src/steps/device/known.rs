//! Devices that the server is to know.

use cucumber::given;
use rand::RngExt as _;
use serde_json::json;

use crate::steps::context::imei;
use crate::{
    catalogue,
    plan::{Part, Waiting},
    run::{Lab, Mismatch, StepResult},
    target::DEFAULT_ACCOUNT,
};

/// What fingerprints are made of after their dot: no l, o, 0 and 1 (contract hello-nrfcloud, 1.1).
const FINGERPRINT_ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";

catalogue! {
    sentence: "I have the fingerprint for a `MODEL` device[ in the `ACCOUNT` account] in `NAME`",
    does: "Makes a device known to the server and stores its fingerprint under NAME and its id under NAME_deviceId.",
    example: "Given I have the fingerprint for a `PCA20065` device in `fingerprint`\n\nWhen I `GET` `${APIURL}/device?fingerprint=${fingerprint}`\n\nThen the last response should match\n\n```json\n{ \"id\": \"${fingerprint_deviceId}\", \"model\": \"PCA20065\" }\n```",
    stores: &["{name}", "{name}_deviceId"],
    waiting: Waiting::Never,
    uses: &[Part::Server, Part::Upstream],
}
#[given(
    regex = r"^I have the fingerprint for a `(?P<model>[^`]+)` device(?: in the `(?P<account>[^`]+)` account)? in `(?P<name>[^`]+)`$"
)]
async fn fingerprint(lab: &mut Lab, model: String, account: String, name: String) -> StepResult {
    let account = if account.is_empty() {
        DEFAULT_ACCOUNT.to_owned()
    } else {
        account
    };
    know_account(lab, &account).await?;
    let imei = imei(lab);
    let id = format!("oob-{imei}");
    let body = json!({ "model": model, "account": account, "imei": imei });
    know_device(lab, &name, id, body).await
}

catalogue! {
    sentence: "I have the fingerprint for an unsupported device in `NAME`",
    does: "Makes a device known that is none of the supported models; stores as above.",
    example: "Given I have the fingerprint for an unsupported device in `fingerprint`\n\nWhen I connect to the websocket using fingerprint `${fingerprint}`\n\nSoon I should receive a message on the websocket that matches\n\n```json\n{ \"model\": \"unsupported\" }\n```",
    stores: &["{name}", "{name}_deviceId"],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(regex = r"^I have the fingerprint for an unsupported device in `(?P<name>[^`]+)`$")]
async fn unsupported(lab: &mut Lab, name: String) -> StepResult {
    let bytes: [u8; 16] = lab.random().random();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    know_device(lab, &name, hex, json!({ "model": "unsupported" })).await
}

catalogue! {
    sentence: "the server knows the `ACCOUNT` account",
    does: "Makes an upstream account known: the server finds the mock behind it and gets a key of its own for it.",
    example: "Given the server knows the `elite` account",
    waiting: Waiting::Never,
    uses: &[Part::Server, Part::Upstream],
}
#[given(regex = r"^the server knows the `(?P<account>[^`]+)` account$")]
async fn knows_account(lab: &mut Lab, account: String) -> StepResult {
    know_account(lab, &account).await
}

async fn know_account(lab: &mut Lab, account: &str) -> StepResult {
    let digits: [u8; 20] = lab.random().random();
    let key: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    lab.equipment.secrets.add("account key", &key);
    let (target, network) = (lab.target(), lab.network());
    let known = target.know_account(&*network, account, || key).await;
    match known {
        Ok(_) => Ok(()),
        Err(error) => lab.fail(Mismatch::new(error.to_string())),
    }
}

async fn know_device(
    lab: &mut Lab,
    name: &str,
    id: String,
    mut body: serde_json::Value,
) -> StepResult {
    let code: String = (0..6)
        .map(|_| {
            let at = lab.random().random_range(0..FINGERPRINT_ALPHABET.len());
            char::from(FINGERPRINT_ALPHABET[at])
        })
        .collect();
    let fingerprint = format!("92b.{code}");
    lab.equipment.secrets.add("fingerprint", &fingerprint);
    body["fingerprint"] = json!(fingerprint);
    let (target, network) = (lab.target(), lab.network());
    if let Err(error) = target.know_device(&*network, &id, body).await {
        return lab.fail(Mismatch::new(error.to_string()));
    }
    lab.store(name, fingerprint);
    lab.store(format!("{name}_deviceId"), id);
    Ok(())
}
