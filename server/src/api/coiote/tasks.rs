//! Tasks on one device: made, shown, listed and deleted (contract 2.4).

use http::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Answer, Asked, Refusal, created, criteria::Criteria, done, input, input::Fields, ok};
use crate::{
    core::tasks::{Argument, Definition, Operation, Parameters, Plan, Scope, Task, Work, boolean},
    limits,
    server::State,
    tasks,
};

/// The parameters of `POST /tasks/upgrade/...`, all of them (contract 3.3).
const PARAMETERS: [&str; 12] = [
    "transferMethod",
    "transferProtocol",
    "timeout",
    "useQuota",
    "upgradeStrategy",
    "blocking",
    "useCacheForInitialStateRead",
    "checkDeliveryAndProtocol",
    "resumeAfterDownlinkFailure",
    "useObservation",
    "extendLifetime",
    "executeImmediately",
];

impl Asked<'_> {
    /// `POST /tasks/configure/{deviceId}` -> the task's id.
    pub(super) async fn configure(
        &self,
        device: &str,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let rerun = self.query.truth("rerunIfExists", true)?;
        let body = input::json(self.server, request).await?;
        let fields = Fields::of(&body, "body")?;
        let definition = fields.get("taskDefinition");
        let definition = definition.ok_or_else(|| fields.wrong("taskDefinition", "needed"))?;
        let fields = Fields::of(definition, "taskDefinition")?;
        let definition = Definition {
            name: Some(fields.needed("name")?.to_owned()),
            work: Work::Operations {
                batch: fields.truth("batchRequests")?.unwrap_or_default(),
                operations: operations(&fields)?,
            },
            immediately: fields.truth("executeImmediately")?.unwrap_or_default(),
            active: true,
        };
        self.run(Scope::Device(device.to_owned()), definition, rerun)
    }

    /// `POST /tasks/upgrade/{deviceId}/{resourceId}` -> the task's id. What a protocol is called
    /// wrongly, the report says; other parameters are refused at once.
    pub(super) fn upgrade(&self, device: &str, resource: &str) -> Result<Answer, Refusal> {
        let given = PARAMETERS.iter().filter_map(|name| {
            let text = self.query.text(name)?;
            Some(((*name).to_owned(), text.to_owned()))
        });
        let mut parameters: Parameters = vec![("resourceId".to_owned(), resource.to_owned())];
        parameters.extend(given);
        if self.query.text("transferProtocol").is_none() {
            parameters.push(("transferProtocol".to_owned(), "HTTP".to_owned()));
        }
        let understood: Parameters = parameters
            .iter()
            .filter(|(name, _)| name != "transferProtocol")
            .cloned()
            .chain([("transferProtocol".to_owned(), "HTTP".to_owned())])
            .collect();
        Plan::of(&understood).map_err(Refusal::malformed)?;
        let immediately = self.query.truth("executeImmediately", false)?;
        let now = self.server.now();
        let state = self.server.state();
        self.own_device(&state, device)?;
        if state.resources.get(now, &self.owner, resource).is_none() {
            return Err(Refusal::not_found("Resource not found."));
        }
        drop(state);
        let definition = Definition {
            name: Some("FOTA".to_owned()),
            work: Work::Firmware(parameters),
            immediately,
            active: true,
        };
        self.run(Scope::Device(device.to_owned()), definition, false)
    }

    /// `GET /tasks/{id}`
    pub(super) fn get_task(&self, id: &str) -> Result<Answer, Refusal> {
        let state = self.server.state();
        ok(shown(self.own_task(&state, id)?))
    }

    /// `DELETE /tasks/{id}`: an update that has not been executed is not.
    pub(super) fn delete_task(&self, id: &str) -> Result<Answer, Refusal> {
        self.server.change(|state, now| {
            self.own_task(state, id)?;
            state.tasks.remove(now, &self.owner, id);
            done()
        })
    }

    /// `GET /tasks` -> ids.
    pub(super) fn list_tasks(&self) -> Result<Answer, Refusal> {
        let criteria = Criteria::parse(self.query.text("searchCriteria"))?;
        let state = self.server.state();
        let tasks = state.tasks.of_owner(&self.owner).filter(|task| {
            let Some(criteria) = &criteria else {
                return true;
            };
            let mut document = shown(task);
            document["taskName"] = json!(task.definition.name);
            let (name, of) = match &task.scope {
                Scope::Device(device) => ("deviceId", device),
                Scope::Group(group) => ("groupId", group),
            };
            document[name] = json!(of);
            criteria.holds(&document)
        });
        ok(tasks.map(|it| json!(it.id)).collect())
    }

    /// Makes a task, and begins with it where it is not to wait.
    pub(super) fn run(
        &self,
        scope: Scope,
        definition: Definition,
        rerun: bool,
    ) -> Result<Answer, Refusal> {
        let owner = &self.owner;
        self.server.change(|state, now| {
            let members = match &scope {
                Scope::Device(device) => {
                    self.own_device(state, device)?;
                    vec![device.clone()]
                }
                Scope::Group(group) => {
                    let members = self.members(state, group);
                    let known = state.groups.get(owner, group).is_some();
                    if members.is_empty() && !known {
                        return Err(Refusal::not_found("Group not found."));
                    }
                    members
                }
            };
            for device in &members {
                tasks::show(state, now, device);
            }
            let (pace, immediately) = (self.pace(state), definition.immediately);
            let work = (members.clone(), pace);
            let made = state.tasks.create(owner, scope, definition, work, rerun);
            let crowded = |_| Refusal::too_many("Too many tasks wait for the device");
            let id = made.map_err(crowded)?;
            for device in members.iter().filter(|_| immediately) {
                let air = state.air.as_ref();
                if air.is_some_and(|it| it.registered(device).is_some()) {
                    state.tasks.session(now, device, Some(&id));
                }
            }
            created(json!(id))
        })
    }

    /// Refuses a task of somebody else as one that is not there.
    pub(super) fn own_task<'a>(&self, state: &'a State, id: &str) -> Result<&'a Task, Refusal> {
        let task = state.tasks.get(&self.owner, id);
        task.ok_or_else(|| Refusal::not_found("Task not found."))
    }
}

/// A task with its configuration.
fn shown(task: &Task) -> Value {
    let definition = &task.definition;
    let pair = |name: &str, value: &str| json!({"name": name, "value": value});
    let parameters: Vec<Value> = match &definition.work {
        Work::Firmware(parameters) => {
            let pairs = parameters.iter();
            pairs.map(|(name, value)| pair(name, value)).collect()
        }
        Work::Operations { batch, operations } => {
            let operations = json!(operations).to_string();
            vec![
                pair("operations", &operations),
                pair("batchRequests", &batch.to_string()),
                pair("executeImmediately", &definition.immediately.to_string()),
            ]
        }
    };
    json!({
        "id": task.id,
        "config": {
            "taskName": definition.name.as_deref().unwrap_or_default(),
            "parameters": parameters,
            "properties": {},
            "isActive": !task.is_halted(),
        },
    })
}

fn operations(fields: &Fields<'_>) -> Result<Vec<Operation>, Refusal> {
    let list = fields.get("operations").and_then(Value::as_array);
    let list = list.ok_or_else(|| fields.wrong("operations", "a list"))?;
    if list.is_empty() || list.len() > limits::MAX_OPERATIONS_PER_TASK {
        let most = limits::MAX_OPERATIONS_PER_TASK;
        return Err(fields.wrong("operations", &format!("a list of 1 to {most}")));
    }
    list.iter().map(operation).collect()
}

fn operation(value: &Value) -> Result<Operation, Refusal> {
    let place = "operation";
    let wrong = || Refusal::malformed("An operation is one of read, write, execute");
    let object = value
        .as_object()
        .filter(|it| it.len() == 1)
        .ok_or_else(wrong)?;
    let (verb, inside) = object.iter().next().ok_or_else(wrong)?;
    let fields = Fields::of(inside, place)?;
    let key = fields.needed("key")?.to_owned();
    Ok(match verb.as_str() {
        "read" => Operation::Read { key },
        "write" => Operation::Write {
            key,
            value: match fields.get("value") {
                Some(Value::String(text)) => text.clone(),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                _ => return Err(fields.wrong("value", "a text")),
            },
        },
        "execute" => Operation::Execute {
            key,
            argument_list: match fields.get("argumentList") {
                None => Vec::new(),
                Some(Value::Array(list)) if list.len() <= 10 => {
                    list.iter().map(argument).collect::<Result<_, _>>()?
                }
                Some(_) => return Err(fields.wrong("argumentList", "a list of at most 10")),
            },
        },
        _ => return Err(wrong()),
    })
}

/// A digit is a number, or a text such as `0` and even `0=;`, as other clients send it.
fn argument(value: &Value) -> Result<Argument, Refusal> {
    let fields = Fields::of(value, "argument")?;
    let digit = match fields.get("digit") {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text
            .bytes()
            .next()
            .map(|it| u64::from(it.wrapping_sub(b'0'))),
        _ => None,
    };
    let digit = digit
        .and_then(|it| u8::try_from(it).ok())
        .filter(|it| *it < 10);
    let argument = fields.text("argument")?;
    // TS 1.1 C 6.3.5 leaves no way to write these.
    if argument.is_some_and(|it| it.contains('\'') || !it.bytes().all(|it| it.is_ascii_graphic())) {
        return Err(fields.wrong("argument", "a text of printable ASCII without quotes"));
    }
    Ok(Argument {
        digit: digit.ok_or_else(|| fields.wrong("digit", "0 to 9"))?,
        argument: argument.map(str::to_owned),
    })
}

/// The truth value of a parameter.
pub(super) fn truth_of(parameters: &Parameters, name: &str) -> bool {
    let last = parameters.iter().rev().find(|(it, _)| it == name);
    last.and_then(|(_, value)| boolean(value))
        .unwrap_or_default()
}
