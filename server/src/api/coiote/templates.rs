//! Tasks from the template `Lwm2mFirmwareUpdate`, on a device or on a group (contract 2.6).

use http::{Request, header};
use hyper::body::Incoming;
use serde_json::Value;

use super::{Answer, Asked, Refusal, groups::group_id, input::Fields, tasks::truth_of};
use crate::{
    api::body,
    core::tasks::{Definition, Parameters, Scope, Work},
    limits,
};

/// The one template there is.
const TEMPLATE: &str = "Lwm2mFirmwareUpdate";

impl Asked<'_> {
    /// `POST /tasksFromTemplates/device/{deviceId}` -> the task's id.
    pub(super) async fn run_on_device(
        &self,
        device: &str,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        if self.query.text("waitTimeSeconds").is_some() {
            let what = "POST /tasksFromTemplates/device/{deviceId}?waitTimeSeconds=";
            return Err(Refusal::not_here(what));
        }
        let rerun = self.query.truth("rerunIfExists", true)?;
        let mut definition = self.invocation(request).await?;
        if self.query.text("executeImmediately").is_some() {
            definition.immediately = self.query.truth("executeImmediately", false)?;
        }
        self.run(Scope::Device(device.to_owned()), definition, rerun)
    }

    /// `POST /tasksFromTemplates/group/{groupId}` -> the task's id. The Python client sends a form
    /// in which all values are lost (contract T3): that is an invocation without parameters.
    pub(super) async fn run_on_group(
        &self,
        group: &str,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let group = group_id(group)?.to_owned();
        let rerun = self.query.truth("rerunIfExists", true)?;
        let definition = self.invocation(request).await?;
        self.run(Scope::Group(group), definition, rerun)
    }

    async fn invocation(&self, request: Request<Incoming>) -> Result<Definition, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let is_form = kind.is_some_and(|it| {
            it.as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        });
        let read = body::read(self.server, request.into_body()).await?;
        // curl says that it is a form where nobody says otherwise: what reads as JSON is JSON.
        match serde_json::from_slice::<Value>(&read.bytes) {
            Ok(body) => invocation(&body),
            Err(_) if is_form => {
                let pairs: Vec<(String, String)> =
                    form_urlencoded::parse(&read.bytes).into_owned().collect();
                let name = pairs.iter().find(|(name, _)| name == "templateName");
                let name = name.map(|(_, value)| value.as_str());
                check_template(name.ok_or_else(|| Refusal::malformed("templateName is needed"))?)?;
                Ok(definition(None, Vec::new(), true))
            }
            Err(why) => Err(Refusal::malformed(format!("The body is not JSON: {why}"))),
        }
    }
}

fn invocation(body: &Value) -> Result<Definition, Refusal> {
    let fields = Fields::of(body, "body")?;
    check_template(fields.needed("templateName")?)?;
    let Some(config) = fields.get("config") else {
        return Ok(definition(None, Vec::new(), true));
    };
    let config = Fields::of(config, "config")?;
    let active = config.truth("isActive")?.unwrap_or(true);
    let name = config.text("taskName")?.map(str::to_owned);
    config.pairs("properties")?;
    let wrong = || config.wrong("parameters", "a list of names with values");
    let list = match config.get("parameters") {
        None => &Vec::new(),
        Some(list) => list.as_array().ok_or_else(wrong)?,
    };
    if list.len() > limits::MAX_PROPERTIES {
        return Err(config.wrong("parameters", "a shorter list"));
    }
    let parameters = list.iter().map(|it| {
        let pair = Fields::of(it, "parameter")?;
        let name = pair.needed("name")?.to_owned();
        match pair.get("value") {
            Some(Value::String(text)) if text.len() <= limits::MAX_NAME_BYTES => {
                Ok((name, text.clone()))
            }
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Ok((name, value.to_string())),
            _ => Err(pair.wrong("value", "a text")),
        }
    });
    let parameters = parameters.collect::<Result<Parameters, Refusal>>()?;
    Ok(definition(name, parameters, active))
}

fn definition(name: Option<String>, parameters: Parameters, active: bool) -> Definition {
    Definition {
        name,
        immediately: truth_of(&parameters, "executeImmediately"),
        work: Work::Firmware(parameters),
        active,
    }
}

fn check_template(name: &str) -> Result<(), Refusal> {
    if name == TEMPLATE {
        Ok(())
    } else {
        let only = format!("Task template not found; there is {TEMPLATE}.");
        Err(Refusal::not_found(only))
    }
}
