//! `fotalab serve`: the FOTA server alone.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use fotalab_server::{Config, Fields, HordeSettings, Storage, Tokens};
use fotalab_wire::net::{BrokerUrl, Clock, Network, Sockets};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Map, Value};

use super::{Exit, Failure};
use crate::target::{Provisioner, profile::toml_error};

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen for HTTP and websockets; port 0 picks one.
    #[arg(long, default_value = "127.0.0.1:0", env = "FOTALAB_HTTP")]
    http: SocketAddr,
    /// Where LwM2M devices register over UDP; port 0 picks one.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:0",
        env = "FOTALAB_COAP"
    )]
    coap: SocketAddr,
    /// A folder that keeps all that it knows, made if it is not there; without one it is kept in
    /// memory, and gone when it ends.
    #[arg(long, value_name = "DIR", env = "FOTALAB_DATA")]
    data: Option<PathBuf>,
    /// Where they register over DTLS with pre-shared keys; port 0 picks one.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:0",
        env = "FOTALAB_COAPS"
    )]
    coaps: SocketAddr,
    /// The MQTT broker that tells devices of IoTaaP of a firmware: mqtt://[USER:PASSWORD@]HOST[:PORT].
    #[arg(long, value_name = "URL", env = "FOTALAB_MQTT", hide_env_values = true)]
    mqtt: Option<BrokerUrl>,
    /// Only devices that it was told of may register.
    #[arg(long)]
    closed: bool,
    /// Admin token, upstream accounts and devices with their keys: see the README.
    #[arg(long, value_name = "FILE", env = "FOTALAB_CONFIG")]
    config: Option<PathBuf>,
    /// The profile whose APIURL and WSURL stand in front; PROFILES has all.
    #[arg(long, default_value = crate::target::DEFAULT_PROFILE, env = "FOTALAB_PROFILE")]
    profile: String,
    /// Ask upstream every second, as `run` does, instead of at the cloud's own pace.
    #[arg(long)]
    eager: bool,
}

/// What `--config` says.
#[derive(Debug, Default)]
struct Known {
    admin_token: Option<String>,
    tokens: Tokens,
    horde: HordeSettings,
    accounts: Vec<(String, Value)>,
    devices: Vec<(String, Value)>,
}

/// Serves until SIGTERM or Ctrl-C.
pub(super) fn serve(arguments: &Arguments) -> Result<Exit, Failure> {
    let known = arguments
        .config
        .as_deref()
        .map(read)
        .transpose()?
        .unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let mut random = StdRng::try_from_rng(&mut rand::rngs::SysRng).map_err(|error| {
            Failure::environment(format!("the machine gives no random numbers: {error}"))
        })?;
        let token = known
            .admin_token
            .clone()
            .unwrap_or_else(|| format!("{:032x}", random.random::<u128>()));
        let seed = random.random();
        let mut config = Config::for_service(arguments.http, token, seed);
        config.coap = Some(arguments.coap);
        config.coaps = Some(arguments.coaps);
        config.closed = arguments.closed;
        config.mqtt.clone_from(&arguments.mqtt);
        config.tokens = known.tokens.clone();
        config.horde = known.horde;
        if let Some(folder) = &arguments.data {
            config.storage = Storage::Folder(folder.clone());
        }
        if arguments.eager {
            config.timing = Config::for_scenarios(String::new(), seed).timing;
        }
        let network: Arc<dyn Network> = Arc::new(Sockets);
        let server = fotalab_server::start(config, Arc::clone(&network), Clock::of_machine())
            .await
            .map_err(|error| Failure::environment(error.to_string()))?;
        let context = said(server.context(), &arguments.profile)?;
        tell(&known, &context, &*network).await?;
        match &arguments.data {
            Some(folder) => eprintln!("what it knows is kept in {}", folder.display()),
            None => eprintln!(
                "everything is kept in memory and gone when this ends; --data DIR keeps it"
            ),
        }
        println!("{}", Value::Object(context));
        super::signals::ended().await;
        server.stop().await;
        Ok(Exit::Held)
    })
}

/// The context variables, those of the chosen profile in front.
fn said(mut context: Map<String, Value>, profile: &str) -> Result<Map<String, Value>, Failure> {
    let profiles = context.get("PROFILES").cloned().unwrap_or_default();
    let Some(chosen) = profiles.get(profile).and_then(Value::as_object) else {
        let names: Vec<&String> = profiles
            .as_object()
            .map(|it| it.keys().collect())
            .unwrap_or_default();
        return Err(Failure::usage(format!(
            "there is no profile `{profile}`; known are {names:?}"
        )));
    };
    context.extend(chosen.clone());
    Ok(context)
}

async fn tell(
    known: &Known,
    context: &Map<String, Value>,
    network: &dyn Network,
) -> Result<(), Failure> {
    let admin = Provisioner::of_variables(context);
    for (name, body) in &known.accounts {
        admin
            .account(network, name, body.clone())
            .await
            .map_err(|error| Failure::usage(error.to_string()))?;
    }
    for (name, body) in &known.devices {
        admin
            .device(network, name, body.clone())
            .await
            .map_err(|error| Failure::usage(error.to_string()))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Known, Failure> {
    let fail = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let text =
        std::fs::read_to_string(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    parse(&text).map_err(fail)
}

fn parse(text: &str) -> Result<Known, String> {
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| toml_error(text, &error))?;
    let mut known = Known::default();
    for (key, value) in table {
        match (key.as_str(), value) {
            ("admin_token", toml::Value::String(token)) => known.admin_token = Some(token),
            ("coiote_token", toml::Value::String(token)) => known.tokens.coiote = Some(token),
            ("horde_token", toml::Value::String(token)) => known.tokens.horde = Some(token),
            ("iotaap_token", toml::Value::String(token)) => known.tokens.iotaap = Some(token),
            ("horde", toml::Value::Table(table)) => known.horde = horde(table)?,
            ("accounts", toml::Value::Table(accounts)) => known.accounts = entries(accounts)?,
            ("devices", toml::Value::Table(devices)) => known.devices = entries(devices)?,
            (key, _) => {
                return Err(format!(
                    "`{key}` is not understood; known are admin_token, coiote_token, horde_token, iotaap_token = \"…\", [horde], [accounts.NAME] and [devices.ENDPOINT]"
                ));
            }
        }
    }
    Ok(known)
}

/// Readings of Horde's simple protocol.
fn horde(table: toml::Table) -> Result<HordeSettings, String> {
    let mut settings = HordeSettings::default();
    for (key, value) in table {
        match (key.as_str(), &value) {
            ("strict", toml::Value::Boolean(strict)) => settings.strict = *strict,
            ("slash", toml::Value::Boolean(slash)) => settings.slash = *slash,
            ("fields", toml::Value::String(fields)) if fields == "span" => {
                settings.fields = Fields::Span;
            }
            ("fields", toml::Value::String(fields)) if fields == "horde" => {
                settings.fields = Fields::Horde;
            }
            _ => {
                return Err(format!(
                    "`{key} = {value}` in [horde] is not understood; known are strict = true, \
                     slash = false and fields = \"span\" or \"horde\""
                ));
            }
        }
    }
    Ok(settings)
}

/// Each entry as the body that the admin face takes.
fn entries(table: toml::Table) -> Result<Vec<(String, Value)>, String> {
    table
        .into_iter()
        .map(|(name, value)| {
            let body = serde_json::to_value(value).map_err(|error| error.to_string())?;
            if body.is_object() {
                Ok((name, body))
            } else {
                Err(format!("`{name}` is a section, not {body}"))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn accounts_and_devices_are_what_the_admin_face_takes() {
        let known = parse(
            "admin_token = \"t\"\n[accounts.nordic]\nendpoint = \"http://x\"\napiKey = \"k\"",
        )
        .expect("good");
        assert_eq!(
            known.accounts,
            [(
                "nordic".to_owned(),
                json!({ "endpoint": "http://x", "apiKey": "k" })
            )]
        );
        assert!(parse("tokens = 1").is_err());
        let known = parse("horde_token = \"h\"\n[horde]\nstrict = true\nfields = \"horde\"");
        let known = known.expect("good");
        assert_eq!(known.tokens.horde.as_deref(), Some("h"));
        assert_eq!(
            (known.horde.strict, known.horde.fields),
            (true, Fields::Horde)
        );
        assert!(parse("[horde]\nstrict = 1").is_err());
    }
}
