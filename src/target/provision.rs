//! How a server is told of devices and accounts: its admin face, or a program of the user's.

use std::{collections::BTreeMap, io::Write as _, process::Stdio, sync::Arc};

use bytes::Bytes;
use fotalab_wire::net::{Network, http as client};
use http::{Request, header};
use serde_json::{Map, Value, json};

use super::{TargetError, TargetProfile};

/// The largest answer of an admin face that is read.
const MAX_ADMIN_ANSWER_BYTES: usize = 1024 * 1024;

/// The way to tell the server under test of a device or an account.
#[derive(Clone, Debug)]
pub enum Provisioner {
    /// The neutral admin face of the design.
    Admin {
        /// `ADMINURL`.
        url: String,
        /// `ADMINTOKEN`.
        token: String,
    },
    /// A program: JSON on its standard input, exit code 0 when it is done.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
        /// The variables of the target, given to it in the environment.
        variables: Arc<BTreeMap<String, String>>,
    },
    /// None: devices and accounts are known already, or steps that need some fail.
    None,
}

impl Provisioner {
    /// The admin face, where the variables name one.
    #[must_use]
    pub fn of_variables(variables: &Map<String, Value>) -> Self {
        let text = |name: &str| {
            variables
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        match (text("ADMINURL"), text("ADMINTOKEN")) {
            (Some(url), Some(token)) => Self::Admin { url, token },
            _ => Self::None,
        }
    }

    /// What the profile says: its command, else the admin face it names.
    #[must_use]
    pub fn of_profile(profile: &TargetProfile) -> Self {
        if profile.provision.is_empty() {
            return Self::of_variables(&profile.context);
        }
        let variables = profile
            .context
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        Self::Command {
            command: profile.provision.clone(),
            variables: Arc::new(variables),
        }
    }

    /// Tells of a device: `{endpoint, fingerprint, model, account, …}`.
    pub(crate) async fn device(
        &self,
        network: &dyn Network,
        endpoint: &str,
        body: Value,
    ) -> Result<(), TargetError> {
        self.put(network, "device", "devices", "endpoint", endpoint, body)
            .await
    }

    /// Tells of an account: `{name, endpoint, apiKey}`.
    pub(crate) async fn account(
        &self,
        network: &dyn Network,
        name: &str,
        body: Value,
    ) -> Result<(), TargetError> {
        self.put(network, "account", "accounts", "name", name, body)
            .await
    }

    async fn put(
        &self,
        network: &dyn Network,
        kind: &str,
        path: &str,
        key: &str,
        name: &str,
        body: Value,
    ) -> Result<(), TargetError> {
        let doing = format!("make the {kind} `{name}` known to the server");
        match self {
            Self::Admin { url, token } => {
                let request = Request::put(format!("{url}/{path}/{}", path_segment(name)))
                    .header(header::AUTHORIZATION, format!("Bearer {token}"))
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(Bytes::from(body.to_string()))
                    .map_err(|error| TargetError::new(&doing, error))?;
                let answer = client::send(network, request, MAX_ADMIN_ANSWER_BYTES)
                    .await
                    .map_err(|error| TargetError::new(&doing, error))?;
                if answer.status().is_success() {
                    return Ok(());
                }
                let said = String::from_utf8_lossy(answer.body()).into_owned();
                Err(TargetError::new(
                    doing,
                    format!("it answered {}: {said}", answer.status()),
                ))
            }
            Self::Command { command, variables } => {
                let mut message = json!({ "kind": kind, key: name });
                if let (Some(message), Value::Object(body)) = (message.as_object_mut(), body) {
                    // The account's upstream is its `endpoint`; the device's name is its own.
                    message.extend(body);
                }
                run(command, variables, &message).map_err(|why| TargetError::new(doing, why))
            }
            Self::None => Err(TargetError::new(
                doing,
                "the target has no way to be told: give `[provision] command` or ADMINURL and \
                 ADMINTOKEN in its profile",
            )),
        }
    }
}

/// A name as one segment of a path (RFC 3986, 3.3).
pub(crate) fn path_segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+:@".contains(&byte);
    name.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// Runs the program to its end. It blocks the group's thread, which has nothing else to do.
fn run(
    command: &[String],
    variables: &BTreeMap<String, String>,
    message: &Value,
) -> Result<(), String> {
    let (program, arguments) = command.split_first().ok_or("the command is empty")?;
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{program}` does not start: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read its input may still succeed.
        drop(writeln!(input, "{message}"));
    }
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("`{program}` ended with {}: {said}", output.status))
}
