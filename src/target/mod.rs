//! What is under test: the embedded server, or a profile of somebody else's.

mod adapter;
mod capabilities;
mod deviation;
#[cfg(feature = "embedded")]
mod embedded;
pub(crate) mod profile;
pub(crate) mod provision;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use fotalab_simulators::cloud::{self, Cloud};
use fotalab_wire::net::{Clock, Network};
use serde_json::{Map, Value, json};

pub use self::{
    adapter::{Adapter, Asked, Listening, World},
    capabilities::{CAPABILITIES, Capabilities, Capability},
    deviation::Deviation,
    profile::{ProfileError, TargetProfile},
    provision::Provisioner,
};
use crate::{
    plan::{Group, PartKey},
    run::{Settings, uses},
    trace::{self, Kind, Lane, Secrets, Trace},
};

/// The generations of the hello API (design, "Context given to every scenario").
pub const PROFILES: &[&str] = &["hello-job-executions", "hello-jobs"];
/// The profile of the hello API for files that name none.
pub const DEFAULT_PROFILE: &str = "hello-job-executions";
/// The account of devices that name none.
pub const DEFAULT_ACCOUNT: &str = "nordic";

/// What a run tests.
#[derive(Clone, Debug, Default)]
pub enum TargetChoice {
    /// A server of ours, one for each group, in this process.
    #[default]
    Embedded,
    /// Somebody's server, described by a file.
    Profile(Arc<TargetProfile>),
}

impl TargetChoice {
    /// Whether the server is ours.
    #[must_use]
    pub const fn is_embedded(&self) -> bool {
        matches!(self, Self::Embedded)
    }

    /// What it can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Self::Embedded => Capabilities::of_embedded(),
            Self::Profile(profile) => profile.capabilities.clone(),
        }
    }

    /// What it is known to do otherwise than the specification says.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        match self {
            Self::Embedded => &[],
            Self::Profile(profile) => &profile.deviations,
        }
    }

    /// What reports call it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Embedded => "embedded",
            Self::Profile(profile) => &profile.name,
        }
    }
}

/// The target as one group sees it.
pub struct Target {
    variables: Map<String, Value>,
    /// Variables that belong to a profile, by its name.
    profiles: Map<String, Value>,
    cloud: Option<Upstream>,
    provisioner: Provisioner,
    /// How the server is asked for operations; `fotalab` where nobody says otherwise.
    adapter: String,
    /// The program of the adapter `exec`.
    program: Vec<String>,
    /// The adapter, once somebody has asked by it.
    asked_by: OnceLock<Arc<dyn Adapter>>,
    /// Accounts made known so far, and their keys.
    accounts: Mutex<BTreeMap<String, String>>,
    /// Keeps the server running as long as the target is in use.
    #[cfg(feature = "embedded")]
    _server: Option<embedded::Running>,
}

struct Upstream {
    cloud: Cloud,
    front: cloud::Front,
}

/// The laboratory could not be set up, or the target would not take part.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing}: {why}")]
pub struct TargetError {
    doing: String,
    why: String,
}

impl TargetError {
    /// What was being done, and what was said.
    pub fn new(doing: impl Into<String>, why: impl fmt::Display) -> Self {
        Self {
            doing: doing.into(),
            why: why.to_string(),
        }
    }
}

impl Target {
    /// Starts what the group needs and nothing else.
    pub(crate) async fn start(
        group: &Group,
        settings: &Settings,
        network: &Arc<dyn Network>,
        clock: Clock,
        seed: u64,
        trace: &Trace,
        secrets: &Secrets,
    ) -> Result<Self, TargetError> {
        let mut target = Self {
            variables: Map::new(),
            profiles: Map::new(),
            cloud: None,
            provisioner: Provisioner::None,
            adapter: "fotalab".to_owned(),
            program: Vec::new(),
            asked_by: OnceLock::new(),
            accounts: Mutex::default(),
            #[cfg(feature = "embedded")]
            _server: None,
        };
        if uses(group, PartKey::Upstream) {
            let listen = match &settings.target {
                TargetChoice::Embedded => SocketAddr::from(([127, 0, 0, 1], 0)),
                TargetChoice::Profile(profile) => profile
                    .upstream
                    .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
            };
            let cloud = Cloud::new(settings.upstream, clock);
            observe(&cloud, trace, secrets);
            let front = cloud::start(cloud.clone(), Arc::clone(network), listen)
                .await
                .map_err(|error| {
                    TargetError::new(format!("start the upstream mock on {listen}"), error)
                })?;
            target
                .variables
                .insert("MOCKURL".to_owned(), json!(front.url()));
            target.cloud = Some(Upstream { cloud, front });
        }
        match &settings.target {
            TargetChoice::Embedded if uses(group, PartKey::Server) => {
                target.embed(network, clock, seed).await?;
            }
            TargetChoice::Embedded => {}
            TargetChoice::Profile(file) => {
                target.variables.extend(file.context.clone());
                target.provisioner = Provisioner::of_profile(file);
                target.program.clone_from(&file.program);
                if let Some(adapter) = &file.adapter {
                    target.adapter.clone_from(adapter);
                }
                for secret in &file.secrets {
                    secrets.add("env", secret);
                }
            }
        }
        if let Some(Value::Object(profiles)) = target.variables.shift_remove("PROFILES") {
            target.profiles = profiles;
        }
        for (name, value) in &target.variables {
            if let (true, Some(text)) = (name.ends_with("TOKEN"), value.as_str()) {
                secrets.add(name, text);
            }
        }
        Ok(target)
    }

    #[cfg(feature = "embedded")]
    async fn embed(
        &mut self,
        network: &Arc<dyn Network>,
        clock: Clock,
        seed: u64,
    ) -> Result<(), TargetError> {
        let (server, variables) = embedded::start(network, clock, seed).await?;
        self.provisioner = Provisioner::of_variables(&variables);
        self.variables.extend(variables);
        self._server = Some(server);
        Ok(())
    }

    #[cfg(not(feature = "embedded"))]
    async fn embed(&mut self, _: &Arc<dyn Network>, _: Clock, _: u64) -> Result<(), TargetError> {
        Err(TargetError::new(
            "start the embedded server",
            "this build has none; give --target FILE, or build with the feature `embedded`",
        ))
    }

    /// The variables it gives to scenarios.
    #[must_use]
    pub const fn variables(&self) -> &Map<String, Value> {
        &self.variables
    }

    /// The variables of a profile; none where the target makes no difference between profiles.
    #[must_use]
    pub fn of_profile(&self, profile: &str) -> Option<&Map<String, Value>> {
        self.profiles.get(profile).and_then(Value::as_object)
    }

    /// The mock of the cloud upstream.
    #[must_use]
    pub fn cloud(&self) -> Option<&Cloud> {
        self.cloud.as_ref().map(|it| &it.cloud)
    }

    /// The key of an account, if it was made known.
    #[must_use]
    pub fn account_key(&self, account: &str) -> Option<String> {
        self.accounts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(account)
            .cloned()
    }

    /// Makes an account known to the server, unless it was: it finds the mock behind it, and gets
    /// this key.
    ///
    /// # Errors
    /// The target refuses, or has no way to be told.
    pub async fn know_account(
        &self,
        network: &dyn Network,
        account: &str,
        key: impl FnOnce() -> String,
    ) -> Result<String, TargetError> {
        if let Some(known) = self.account_key(account) {
            return Ok(known);
        }
        let key = key();
        if let Some(upstream) = &self.cloud {
            let body = json!({ "endpoint": upstream.front.url(), "apiKey": key });
            self.provisioner.account(network, account, body).await?;
        }
        self.accounts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account.to_owned(), key.clone());
        Ok(key)
    }

    /// How the server is asked for operations.
    ///
    /// # Errors
    /// There is no such adapter, or the target does not say what it needs.
    pub fn adapter(&self) -> Result<Arc<dyn Adapter>, TargetError> {
        if self.asked_by.get().is_none() {
            let adapter = adapter::named(&self.adapter, &self.program, &self.variables)?;
            // Whoever was faster made the same one.
            let _first = self.asked_by.set(adapter);
        }
        let adapter = self.asked_by.get().map(Arc::clone);
        adapter.ok_or_else(|| TargetError::new("ask the server", "it has no adapter"))
    }

    /// Makes a device known to the server; `body` as the design's admin face takes it.
    ///
    /// # Errors
    /// The target refuses, or has no way to be told.
    pub async fn know_device(
        &self,
        network: &dyn Network,
        endpoint: &str,
        body: Value,
    ) -> Result<(), TargetError> {
        self.provisioner.device(network, endpoint, body).await
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Target").finish_non_exhaustive()
    }
}

/// Every call to the mock becomes a request and an answer on the timeline.
fn observe(cloud: &Cloud, trace: &Trace, secrets: &Secrets) {
    let (trace, secrets) = (trace.clone(), secrets.clone());
    cloud.on_received(Box::new(move |call| {
        secrets.learn_url(&call.target);
        for (name, value) in &call.headers {
            secrets.learn_header(name, value);
        }
        let headers: Map<String, Value> = call
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let request = json!({
            "method": call.method, "target": call.target, "headers": headers,
            "bytes": call.body.len(), "body": trace::body(&call.body),
        });
        let summary = format!("{} {}", call.method, call.target);
        trace.record(Lane::Upstream, Kind::Request, summary, request);
        let answered = &call.answered;
        let note = if answered.unexpected {
            " (nothing was queued for it)"
        } else {
            ""
        };
        let detail = json!({
            "status": answered.status, "unexpected": answered.unexpected,
            "bytes": answered.body.len(), "body": trace::body(&answered.body),
        });
        let summary = format!("{} {}{note}", answered.status, call.target);
        trace.record(Lane::Upstream, Kind::Answer, summary, detail);
    }));
}
