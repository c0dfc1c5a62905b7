//! `fotalab fleet`: simulated devices against any server of LwM2M, Horde or IoTaaP.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use fotalab_simulators::{
    device::{
        Kind, Peer, Persona, Setup, Speaks, State,
        drive::{Census, Driver, Fleet, Mqtt, Psk},
        iotaap::Keys,
        persona::parse_duration,
    },
    limits,
};
use fotalab_wire::net::{BrokerUrl, Clock, Sockets};
use serde_json::{Map, Value, json};

use super::{Exit, Failure};
use crate::air::server_of;

/// How often the live line is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(250);
/// How often a line is written where nobody can see it change.
const WRITTEN_EVERY: Duration = Duration::from_secs(10);
/// How long the devices may take to de-register.
const LEAVING: Duration = Duration::from_secs(3);

/// What `fleet` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The server: coap://HOST[:PORT], or coaps:// with --psk; for devices of IoTaaP its API,
    /// as IOTAAPURL says it.
    #[arg(long, value_name = "URL", env = "FOTALAB_SERVER")]
    server: String,
    /// What the devices speak.
    #[arg(long, value_enum, default_value_t = Spoken::Lwm2m)]
    kind: Spoken,
    /// What is compiled into devices of IoTaaP, a line for each: ID TOKEN [GROUP-ID GROUP-TOKEN].
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// How many devices.
    #[arg(long, value_name = "N", default_value_t = 1)]
    devices: usize,
    /// Their endpoint names; {} is the device's number, from 0.
    #[arg(long, value_name = "NAME", default_value = "urn:dev:ops:fotalab-{}")]
    endpoint: String,
    /// The version that they run.
    #[arg(long, value_name = "VERSION", default_value = "1.0.0")]
    firmware: String,
    /// What kind of devices they are and what they do wrong: TOML.
    #[arg(long, value_name = "FILE")]
    persona: Option<PathBuf>,
    /// A fault in words, such as "out of flash at 60 %"; may be given again.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// Where devices of IoTaaP hear of a firmware: mqtt://USER[:PASSWORD]@HOST[:PORT]. USER begins
    /// their topics.
    #[arg(long, value_name = "URL", env = "FOTALAB_MQTT", hide_env_values = true)]
    mqtt: Option<BrokerUrl>,
    /// Identity and key of the devices' DTLS; {} in the identity is the device's number.
    #[arg(
        long,
        value_name = "ID:HEXKEY",
        env = "FOTALAB_PSK",
        hide_env_values = true
    )]
    psk: Option<String>,
    /// Their identities and all other randomness.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Devices that start in a second.
    #[arg(long, value_name = "N", default_value_t = 500)]
    rate: u32,
    /// Ends when all are registered, or when all have been through an update. Without it:
    /// when interrupted.
    #[arg(long, value_enum)]
    until: Option<Until>,
    /// Ends after this time (90s, 5min, 2h); with --until not reached by then, exit code 100.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    within: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Spoken {
    /// LwM2M.
    Lwm2m,
    /// Horde's simple CoAP protocol: POST /u, GET /fw.
    Horde,
    /// HTTP, as devices of IoTaaP do.
    Iotaap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Until {
    /// All devices have a registration.
    Registered,
    /// All devices are idle again after an update, well or ill.
    Updated,
}

/// Runs the devices.
pub(super) fn fleet(arguments: &Arguments) -> Result<Exit, Failure> {
    let keys = keys_of(arguments)?;
    let server = if arguments.kind == Spoken::Iotaap {
        // They send no datagram.
        Peer {
            address: ([127, 0, 0, 1], 9).into(),
            secure: false,
        }
    } else {
        server_of(&arguments.server)
            .map_err(|why| Failure::usage(format!("--server `{}`: {why}", arguments.server)))?
    };
    let psk = arguments.psk.as_deref().map(psk_of).transpose()?;
    match (server.secure, &psk) {
        (true, None) => return Err(Failure::usage("coaps:// needs --psk ID:HEXKEY")),
        (false, Some(_)) => return Err(Failure::usage("--psk needs a coaps:// server")),
        (true, _) if !cfg!(feature = "dtls") => {
            return Err(Failure::usage("this build has no DTLS (feature `dtls`)"));
        }
        _ => {}
    }
    if arguments.devices == 0 || arguments.devices > limits::FLEET_DEVICES {
        let most = limits::FLEET_DEVICES;
        return Err(Failure::usage(format!("--devices is 1 to {most}")));
    }
    if arguments.devices > 1 && !arguments.endpoint.contains("{}") {
        return Err(Failure::usage(
            "--endpoint needs a {} for the number of the device: names are unique",
        ));
    }
    let kind = Arc::new(Kind::new(persona_of(arguments)?));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let fleet = fleet_of(arguments, &kind, server, psk.as_ref(), &keys);
        let mut driver = Driver::new(fleet, Arc::new(Sockets), server.address, Clock::of_machine())
            .map_err(|error| Failure::environment(format!("cannot open sockets: {error}")))?;
        if let Some(broker) = arguments.mqtt.clone() {
            let no_mqtt = || Failure::usage("this build has no MQTT (feature `mqtt`)");
            driver.use_broker(Mqtt::new(broker).ok_or_else(no_mqtt)?);
        }
        let mut shown = Shown::new();
        let ended = tokio::select! {
            ended = run(&mut driver, arguments, &mut shown) => ended
                .map_err(|error| Failure::environment(format!("cannot reach {}: {error}", arguments.server)))?,
            () = ended() => Ended::Interrupted,
        };
        let census = driver.fleet.census();
        let elapsed = driver.now();
        shown.last(&census, elapsed);
        println!("{}", summary(&census, elapsed));
        leave(&mut driver).await;
        Ok(match ended {
            Ended::Reached => Exit::Held,
            Ended::TimeIsUp if arguments.until.is_some() => Exit::Failed,
            Ended::Interrupted if arguments.until.is_some() => Exit::Interrupted,
            Ended::TimeIsUp | Ended::Interrupted => Exit::Held,
        })
    })
}

/// SIGTERM or Ctrl-C.
async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Reached,
    TimeIsUp,
    Interrupted,
}

async fn run(
    driver: &mut Driver,
    arguments: &Arguments,
    shown: &mut Shown,
) -> std::io::Result<Ended> {
    loop {
        let next = driver.now() + DRAWN_EVERY;
        let end = arguments.within.unwrap_or(Duration::MAX);
        driver.run_until(next.min(end)).await?;
        while driver.fleet.poll_event().is_some() {}
        let census = driver.fleet.census();
        shown.show(&census, driver.now());
        let reached = match arguments.until {
            None => false,
            Some(Until::Registered) => census.registered == census.devices,
            Some(Until::Updated) => census.updated == census.devices,
        };
        if reached {
            return Ok(Ended::Reached);
        }
        if driver.now() >= end {
            return Ok(Ended::TimeIsUp);
        }
    }
}

/// De-registers, as a device does that is switched off in order.
async fn leave(driver: &mut Driver) {
    let now = driver.now();
    for index in 0..driver.fleet.len() {
        driver.fleet.with(now, index, |device| device.leave(now));
    }
    let end = now + LEAVING;
    while driver.now() < end {
        let next = (driver.now() + DRAWN_EVERY).min(end);
        if driver.run_until(next).await.is_err() || driver.fleet.has_left() {
            return;
        }
    }
}

/// The keys of as many devices of IoTaaP as there are to be.
fn keys_of(arguments: &Arguments) -> Result<Vec<Keys>, Failure> {
    let path = match (arguments.kind, &arguments.keys) {
        (Spoken::Iotaap, Some(path)) => path,
        (Spoken::Iotaap, None) => {
            return Err(Failure::usage("--kind iotaap needs --keys FILE"));
        }
        (_, Some(_)) => return Err(Failure::usage("--keys is for --kind iotaap")),
        (_, None) => return Ok(Vec::new()),
    };
    let url = arguments.server.trim_end_matches('/');
    if !url.starts_with("http://") {
        let why = "of IoTaaP is http://HOST[:PORT]/…/v1, as IOTAAPURL says it";
        return Err(Failure::usage(format!("--server `{url}`: a server {why}")));
    }
    let fail = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let text =
        std::fs::read_to_string(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    let keys = read_keys(url, &text).map_err(fail)?;
    if keys.len() < arguments.devices {
        let (found, wanted) = (keys.len(), arguments.devices);
        return Err(fail(format!(
            "has keys of {found} devices, not of {wanted}"
        )));
    }
    Ok(keys)
}

/// A line for each device; an error does not repeat it, since tokens are secrets.
fn read_keys(url: &str, text: &str) -> Result<Vec<Keys>, String> {
    let lines = text.lines().enumerate();
    let said = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    said.map(|(number, line)| {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (device, group) = match words.as_slice() {
            [id, token] => ((id.clone(), token.clone()), None),
            [id, token, group, secret] => {
                let group = (group.clone(), secret.clone());
                ((id.clone(), token.clone()), Some(group))
            }
            _ => {
                let why = "is not ID TOKEN [GROUP-ID GROUP-TOKEN]";
                return Err(format!("line {} {why}", number + 1));
            }
        };
        Ok(Keys {
            url: url.to_owned(),
            device,
            group,
        })
    })
    .collect()
}

fn fleet_of(
    arguments: &Arguments,
    kind: &Arc<Kind>,
    server: Peer,
    psk: Option<&Psk>,
    keys: &[Keys],
) -> Fleet {
    let mut fleet = Fleet::new();
    let rate = arguments.rate.max(1);
    for index in 0..arguments.devices {
        let number = index.to_string();
        let setup = Setup {
            endpoint: arguments.endpoint.replace("{}", &number),
            firmware: arguments.firmware.clone(),
            server,
            seed: arguments.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64,
        };
        let own = psk.map(|psk| Psk {
            identity: String::from_utf8_lossy(&psk.identity)
                .replace("{}", &number)
                .into_bytes(),
            key: psk.key.clone(),
        });
        let start = Duration::from_secs(index as u64) / rate;
        let psk = own.as_ref().map(|psk| (psk, None));
        let added = fleet.add(Duration::ZERO, kind, setup, start, psk);
        if let Some(keys) = keys.get(index) {
            fleet.with(Duration::ZERO, added, |it| it.take_keys(keys.clone()));
        }
    }
    fleet
}

/// What the devices are doing, while they do it.
struct Shown {
    live: bool,
    at: Duration,
    line: String,
}

impl Shown {
    fn new() -> Self {
        Self {
            live: std::io::stderr().is_terminal(),
            at: Duration::ZERO,
            line: String::new(),
        }
    }

    fn show(&mut self, census: &Census, now: Duration) {
        let line = line_of(census);
        if self.live {
            eprint!("\r\x1b[K{line}");
            // Nobody is left to tell when stderr is closed.
            drop(std::io::stderr().flush());
        } else if line != self.line && (self.line.is_empty() || now >= self.at + WRITTEN_EVERY) {
            eprintln!("{:>6.1} s  {line}", now.as_secs_f64());
            self.at = now;
            self.line = line;
        }
    }

    fn last(&mut self, census: &Census, now: Duration) {
        if self.live {
            eprintln!("\r\x1b[K{}", line_of(census));
        } else if line_of(census) != self.line {
            eprintln!("{:>6.1} s  {}", now.as_secs_f64(), line_of(census));
        }
    }
}

fn line_of(census: &Census) -> String {
    let Census {
        devices,
        registered,
        updated,
        stalled,
        states,
        ..
    } = census;
    let mut line = format!("{registered} of {devices} registered");
    for (state, count) in states.iter().filter(|(state, _)| **state != State::Idle) {
        line.push_str(&format!(", {count} {state}"));
    }
    if *stalled > 0 {
        line.push_str(&format!(" ({stalled} stalled)"));
    }
    line.push_str(&format!(", {updated} updated"));
    line
}

fn summary(census: &Census, elapsed: Duration) -> Value {
    let states: Map<_, _> = census
        .states
        .iter()
        .map(|(state, count)| (state.name().to_owned(), json!(count)))
        .collect();
    let results: Map<_, _> = census
        .results
        .iter()
        .map(|(result, count)| (result.name().to_owned(), json!(count)))
        .collect();
    json!({
        "schema": 1,
        "devices": census.devices,
        "registered": census.registered,
        "updated": census.updated,
        "stalled": census.stalled,
        "states": states,
        "results": results,
        "versions": census.versions,
        "datagrams": { "sent": census.sent, "received": census.received },
        "seconds": (elapsed.as_secs_f64() * 1_000.0).round() / 1_000.0,
    })
}

fn persona_of(arguments: &Arguments) -> Result<Persona, Failure> {
    let mut persona = match &arguments.persona {
        None => Persona::default(),
        Some(path) => {
            let fail = |why: String| Failure::usage(format!("{}: {why}", path.display()));
            let text = std::fs::read_to_string(path)
                .map_err(|error| fail(format!("cannot be read: {error}")))?;
            Persona::read(&text).map_err(|error| fail(error.to_string()))?
        }
    };
    for fault in &arguments.fault {
        persona
            .faults
            .add(fault)
            .map_err(|error| Failure::usage(format!("--fault: {error}")))?;
    }
    Ok(match arguments.kind {
        Spoken::Lwm2m => persona,
        Spoken::Horde => persona.speaking(Speaks::Horde),
        Spoken::Iotaap => persona.speaking(Speaks::Iotaap),
    })
}

fn psk_of(text: &str) -> Result<Psk, Failure> {
    // The text itself is a secret and stays out of the message.
    let wrong = || Failure::usage("--psk is ID:HEXKEY, the key of 1 to 64 bytes");
    let (identity, hex) = text.rsplit_once(':').ok_or_else(wrong)?;
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.ok_or_else(wrong)?;
    if identity.is_empty() || digits.len() % 2 != 0 || !(2..=128).contains(&digits.len()) {
        return Err(wrong());
    }
    Ok(Psk {
        identity: identity.as_bytes().to_vec(),
        key: digits
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect(),
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration is 90s, 5min or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_iotaap_are_two_or_four_words() {
        let keys = read_keys("http://x/v1", "# mine\n\na b\nc d e f\n").expect("good");
        assert_eq!(keys[0].device, ("a".to_owned(), "b".to_owned()));
        assert_eq!(keys[1].group, Some(("e".to_owned(), "f".to_owned())));
        let wrong = read_keys("http://x/v1", "a b\nsecret").expect_err("one word");
        assert_eq!(wrong, "line 2 is not ID TOKEN [GROUP-ID GROUP-TOKEN]");
    }

    #[test]
    fn keys_are_hexadecimal_and_stay_out_of_messages() {
        let psk = psk_of("urn:dev:1:00ff").expect("good");
        assert_eq!(psk.identity, b"urn:dev:1");
        assert_eq!(psk.key, [0, 255]);
        for wrong in ["secret", "id:", ":00", "id:0", "id:zz"] {
            let message = psk_of(wrong).unwrap_err().message;
            assert!(!message.contains(wrong) || wrong == "id:", "{message}");
        }
    }
}
