//! A program of the user's between fotalab and their server.
//!
//! It is started once for each group of features, with the target's variables in its environment,
//! and ended with it. Each line on its standard input is a JSON object that asks for something, each
//! on its standard output answers one; answers may come in any order. What it writes on its standard error is
//! shown when it ends too early.
//!
//! ```json
//! {"id": 1, "ask": "image", "bytes": "Rk9UQUxBQgE=", "sha256": "…", "length": 4096}
//! {"id": 1, "answer": {"id": "new-1", "sha256": "…", "length": 4096}}
//! {"id": 2, "ask": "update", "device": "meter-1", "image": "new-1", "transfer": "push", "version": "2.0.0"}
//! {"id": 2, "answer": {"id": "u-7", "state": "queued"}}
//! {"id": 3, "ask": "look", "update": "u-7"}
//! {"id": 3, "answer": {"id": "u-7", "device": "meter-1", "state": "downloading", "result": null, "history": []}}
//! {"id": 4, "ask": "operate", "device": "meter-1", "operation": {"operation": "read", "path": "/3/0/3"}}
//! {"id": 4, "answer": {"code": "2.05", "value": "1.0.0"}}
//! {"id": 5, "ask": "known", "device": "meter-9"}
//! {"id": 5, "answer": {"endpoint": "meter-9", "registration": null}}
//! {"id": 6, "ask": "look", "update": "u-8"}
//! {"id": 6, "error": "there is no such update"}
//! {"id": 7, "ask": "cancel", "update": "u-7"}
//! {"id": 7, "answer": {}}
//! {"id": 8, "ask": "listen"}
//! {"id": 8, "answer": {}}
//! {"event": "registered", "endpoint": "meter-1"}
//! ```

use std::{
    collections::BTreeMap,
    fmt, io,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use fotalab_wire::net::BoxFuture;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};

use super::{Adapter, Asked, Listening, World};
use crate::{
    target::TargetError,
    trace::{Kind, Lane},
};

/// The longest line that a program answers.
const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of its standard error that are kept for whom it may help.
const MAX_ERROR_BYTES: u64 = 4 * 1024;

/// A program that speaks JSON lines.
pub(super) struct Exec {
    command: Vec<String>,
    variables: BTreeMap<String, String>,
    running: tokio::sync::Mutex<Option<Running>>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    asked: u64,
    answers: BTreeMap<u64, oneshot::Sender<Result<Value, String>>>,
    listeners: Vec<mpsc::UnboundedSender<Value>>,
    /// Why there will be no more answers.
    ended: Option<String>,
}

struct Running {
    input: ChildStdin,
    reader: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Exec {
    /// The program with the target's variables in its environment.
    pub(super) fn new(command: &[String], variables: &Map<String, Value>) -> Self {
        let texts = variables
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Self {
            command: command.to_vec(),
            variables: texts.collect(),
            running: tokio::sync::Mutex::default(),
            waiting: Arc::default(),
        }
    }

    async fn ask(
        &self,
        world: World<'_>,
        ask: &str,
        mut asked: Value,
    ) -> Result<Value, TargetError> {
        let fail = |why: String| TargetError::new(format!("have the adapter's program {ask}"), why);
        if world.network.is_virtual() {
            let why = "a program does not live on the virtual clock: run with --clock real";
            return Err(fail(why.to_owned()));
        }
        let shown = asked.clone();
        let (id, answer) = {
            let mut waiting = lock(&self.waiting);
            waiting.asked += 1;
            let (sender, answer) = oneshot::channel();
            let id = waiting.asked;
            waiting.answers.insert(id, sender);
            (id, answer)
        };
        asked["id"] = json!(id);
        asked["ask"] = json!(ask);
        let summary = format!("{} {ask}", self.name());
        let record = |kind, line: &str, detail: Value| {
            world.trace.record(Lane::Rest, kind, line, detail);
        };
        record(Kind::Request, &summary, without_bytes(shown));
        self.write(&asked)
            .await
            .map_err(|why| fail(why.to_string()))?;
        let ended = lock(&self.waiting).ended.clone();
        if let Some(why) = ended {
            return Err(fail(why));
        }
        let answer = answer.await.unwrap_or_else(|_| {
            let why = lock(&self.waiting).ended.clone();
            Err(why.unwrap_or_else(|| "it has ended".to_owned()))
        });
        match answer {
            Ok(answer) => {
                record(Kind::Answer, &summary, answer.clone());
                Ok(answer)
            }
            Err(why) => {
                record(Kind::Answer, &summary, json!({ "error": why }));
                Err(fail(why))
            }
        }
    }

    async fn write(&self, asked: &Value) -> io::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            *running = Some(self.start()?);
        }
        if let Some(running) = running.as_mut() {
            let line = format!("{asked}\n");
            running.input.write_all(line.as_bytes()).await?;
            running.input.flush().await?;
        }
        Ok(())
    }

    fn start(&self) -> io::Result<Running> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(io::Error::other("the profile's [exec] command is empty"));
        };
        let mut child = Command::new(program)
            .args(arguments)
            .envs(&self.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::other(format!("`{program}` does not start: {error}")))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("it has no standard input and output"));
        };
        let reader = tokio::spawn(read(child, output, Arc::clone(&self.waiting)));
        Ok(Running { input, reader })
    }

    fn name(&self) -> &str {
        self.command.first().map_or("exec", String::as_str)
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exec")
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands answers to who waits for them, until the program ends.
async fn read(mut child: Child, output: ChildStdout, waiting: Arc<Mutex<Waiting>>) {
    let mut lines = BufReader::new(output);
    let why = loop {
        let mut line = Vec::new();
        let mut limited = (&mut lines).take(MAX_LINE_BYTES);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) => break "it has ended".to_owned(),
            Ok(_) if !line.ends_with(b"\n") => {
                break format!("a line of it is longer than {MAX_LINE_BYTES} bytes, or has no end");
            }
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if let Err(why) = take(&line, &waiting) {
            break why;
        }
    };
    // One that is still there would keep its standard error open.
    drop(child.start_kill());
    let mut said = Vec::new();
    if let Some(error) = child.stderr.take() {
        drop(error.take(MAX_ERROR_BYTES).read_to_end(&mut said).await);
    }
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    let why = if said.is_empty() {
        why
    } else {
        format!("{why}; it said: {said}")
    };
    let mut waiting = lock(&waiting);
    for (_, answer) in std::mem::take(&mut waiting.answers) {
        drop(answer.send(Err(why.clone())));
    }
    waiting.ended = Some(why);
}

fn take(line: &[u8], waiting: &Mutex<Waiting>) -> Result<(), String> {
    let text = String::from_utf8_lossy(line);
    let wrong = |why: &str| {
        let short: String = text.trim().chars().take(200).collect();
        Err(format!("it answered `{short}`, which {why}"))
    };
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(line) else {
        return wrong("is no JSON object in one line");
    };
    if answer.contains_key("event") {
        let event = Value::Object(answer);
        // Who listens no more is forgotten.
        let listeners = &mut lock(waiting).listeners;
        listeners.retain(|it| it.send(event.clone()).is_ok());
        return Ok(());
    }
    let Some(id) = answer.get("id").and_then(Value::as_u64) else {
        return wrong("has no `id`");
    };
    let said = match (answer.remove("answer"), answer.remove("error")) {
        (Some(answer), None) => Ok(answer),
        (None, Some(Value::String(error))) => Err(error),
        _ => return wrong("has neither an `answer` nor an `error`"),
    };
    match lock(waiting).answers.remove(&id) {
        // Who asked may have given up.
        Some(asker) => drop(asker.send(said)),
        None => return wrong("answers nothing that was asked"),
    }
    Ok(())
}

/// For the timeline: the length says enough.
fn without_bytes(mut asked: Value) -> Value {
    if let Some(asked) = asked.as_object_mut() {
        asked.remove("bytes");
    }
    asked
}

impl Adapter for Exec {
    fn image<'a>(&'a self, world: World<'a>, bytes: Bytes) -> Asked<'a> {
        Box::pin(async move {
            let digest = Sha256::digest(&bytes);
            let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let asked = json!({
                "bytes": STANDARD.encode(&bytes), "sha256": sha256, "length": bytes.len(),
            });
            self.ask(world, "image", asked).await
        })
    }

    fn update<'a>(&'a self, world: World<'a>, wanted: Value) -> Asked<'a> {
        Box::pin(self.ask(world, "update", wanted))
    }

    fn look<'a>(&'a self, world: World<'a>, update: &'a str) -> Asked<'a> {
        Box::pin(self.ask(world, "look", json!({ "update": update })))
    }

    fn cancel<'a>(&'a self, world: World<'a>, update: &'a str) -> Asked<'a> {
        Box::pin(self.ask(world, "cancel", json!({ "update": update })))
    }

    fn known<'a>(&'a self, world: World<'a>, endpoint: &'a str) -> Asked<'a> {
        Box::pin(self.ask(world, "known", json!({ "device": endpoint })))
    }

    fn listen<'a>(&'a self, world: World<'a>) -> BoxFuture<'a, Result<Listening, TargetError>> {
        Box::pin(async move {
            let (listener, mut events) = mpsc::unbounded_channel::<Value>();
            lock(&self.waiting).listeners.push(listener);
            self.ask(world, "listen", json!({})).await?;
            let (sender, told) = mpsc::unbounded_channel();
            let trace = world.trace.clone();
            let mut task = JoinSet::new();
            task.spawn(async move {
                while let Some(event) = events.recv().await {
                    let kind = event.get("event").and_then(Value::as_str);
                    let line = format!("event {}", kind.unwrap_or_default());
                    let shown = event.clone();
                    if sender.send(event).is_err() {
                        return;
                    }
                    trace.record(Lane::Rest, Kind::Answer, line, shown);
                }
            });
            Ok(Listening { told, _task: task })
        })
    }

    fn operate<'a>(&'a self, world: World<'a>, device: &'a str, operation: Value) -> Asked<'a> {
        let asked = json!({ "device": device, "operation": operation });
        Box::pin(self.ask(world, "operate", asked))
    }
}
