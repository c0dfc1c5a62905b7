//! The built command, run as a user runs it.

use std::{
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

/// What one run of the command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A server of ours in a process of its own, which ends with this.
pub(crate) struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts `fotalab serve` on free ports, and describes it in a file as a target.
pub(crate) fn serve_for(profile: &Path) -> Served {
    let mut server = Command::new(env!("CARGO_BIN_EXE_fotalab"));
    server.arg("serve");
    for flag in ["--http", "--coap", "--coaps"] {
        server.args([flag, "127.0.0.1:0"]);
    }
    server.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut served = Served(server.spawn().expect("the command is built with the tests"));
    let mut said = String::new();
    let out = served.0.stdout.take().expect("it is piped");
    BufReader::new(out)
        .read_line(&mut said)
        .expect("its first line");
    let said: Value = serde_json::from_str(&said).expect("one line of JSON");
    let mut text = "name = \"ours elsewhere\"\nadapter = \"fotalab\"\n[context]\n".to_owned();
    for name in ["ADMINURL", "ADMINTOKEN", "COAPURL", "COAPSURL"] {
        let value = said[name].as_str().unwrap_or_default();
        text.push_str(&format!("{name} = \"{value}\"\n"));
    }
    std::fs::write(profile, text).expect("it can be written");
    served
}

/// Runs `fotalab` in `directory` with nothing of the caller's environment that it would read.
pub(crate) fn fotalab(directory: &Path, arguments: &[&str]) -> Ran {
    command(directory, arguments).into()
}

fn command(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fotalab"));
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("FOTALAB_") || name.starts_with("GITHUB_"))
    {
        command.env_remove(name);
    }
    command
        .current_dir(directory)
        .args(arguments)
        .output()
        .expect("the command is built with the tests")
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// An empty directory of this name, kept after the test for whoever wants to look.
pub(crate) fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("it is ours");
    }
    std::fs::create_dir_all(&path).expect("the target directory can be written");
    path
}

/// Whether long runs were asked for with `FOTALAB_LONG=1`.
pub(crate) fn long() -> bool {
    std::env::var_os("FOTALAB_LONG").is_some_and(|it| it != "0")
}

/// The seeds: `FOTALAB_SEEDS`, else beside the repository. `None` is printed as a skip.
pub(crate) fn seeds() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds");
    let path = std::env::var_os("FOTALAB_SEEDS").map_or(beside, PathBuf::from);
    if path.join("DeviceFOTA.feature.md").is_file() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: there is no DeviceFOTA.feature.md in {}; FOTALAB_SEEDS names its directory",
        path.display()
    );
    None
}

/// The next connection of somebody who is to call; who does not within a minute will not.
pub(crate) fn called(listening: &TcpListener) -> TcpStream {
    const PATIENCE: Duration = Duration::from_secs(60);
    let listening = listening.try_clone().expect("a handle more");
    let (came, call) = mpsc::channel();
    thread::spawn(move || came.send(listening.accept()));
    let call = call.recv_timeout(PATIENCE).expect("nobody called");
    call.expect("a connection").0
}
