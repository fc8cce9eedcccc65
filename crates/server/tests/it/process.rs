//! The program as its operator runs it: with arguments at will, on a data directory that outlives
//! it, and scripts that talk to it.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use bellwire::control;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::{Value, json};

use crate::harness::{self, DEADLINE};

/// Any free port.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// A running server; killed when this is dropped.
pub struct Process {
    child: Child,
    address: SocketAddr,
    /// What it wrote on stderr. A `Mutex`: the thread that reads the pipe writes, tests read.
    log: Arc<Mutex<String>>,
    /// Says when stderr was closed, which the end of the process does.
    ended: mpsc::Receiver<()>,
}

impl Process {
    /// `bellwire serve` on this data directory and address, once it listens.
    pub fn serve(data: &Path, listen: &str, options: &[&str]) -> Process {
        Process::serve_by(bellwire(), data, listen, options)
    }

    /// The same by this command, which may have an environment of its own.
    pub fn serve_by(mut program: Command, data: &Path, listen: &str, options: &[&str]) -> Process {
        program.args(["serve", "--listen", listen, "--data"]).arg(data).args(options);
        Process::run(program)
    }

    /// A command that serves, with all its arguments, once it listens.
    pub fn run(mut program: Command) -> Process {
        let mut child = program
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("stderr is a pipe");
        let log = Arc::new(Mutex::new(String::new()));
        let (tell_address, address) = mpsc::channel();
        let (tell_end, ended) = mpsc::channel();
        let lines = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let at = line.strip_prefix("Listening on http://");
                let at = at.and_then(|at| at.strip_suffix('/')?.parse().ok());
                *lines.lock().expect("nobody panics under this lock") += &format!("{line}\n");
                at.map(|address: SocketAddr| tell_address.send(address));
            }
            let _ = tell_end.send(());
        });
        let Ok(address) = address.recv_timeout(DEADLINE) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server does not listen: {}", log.lock().expect("nobody panics here"));
        };
        Process { child, address, log, ended }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("nobody panics under this lock").clone()
    }

    /// Waits until it has written this on stderr.
    #[track_caller]
    pub fn says(&self, text: &str) {
        harness::until(&format!("it says {text:?}"), || self.log().contains(text));
    }

    /// The value of a measure without labels.
    pub fn metric(&self, name: &str) -> f64 {
        harness::metric(self.address, name)
    }

    /// Sends it a signal.
    pub fn signal(&self, sent: Signal) {
        signal(&self.child, sent);
    }

    /// SIGKILL: the process is gone when this returns.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child can be waited for");
    }

    /// SIGTERM: it drains.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        assert!(self.ended.recv_timeout(limit).is_ok(), "no end in {limit:?}: {}", self.log());
        self.child.wait().expect("a child can be waited for")
    }

    /// SIGTERM, and a good end.
    #[track_caller]
    pub fn stop(mut self) {
        self.ask_to_stop();
        assert!(self.wait(DEADLINE).success(), "{}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that nobody has waited for yet.
#[track_caller]
pub fn signal(to: &Child, sent: Signal) {
    kill_process(Pid::from_child(to), sent).expect("it is not reaped yet");
}

/// The program, with none of the environment's settings.
pub fn bellwire() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_bellwire")))
}

/// A command that runs the program in the end, with none of the settings that the environment of whoever
/// runs the tests may have.
pub fn without_settings(mut program: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_of_tests = text.starts_with("BELLWIRE_TEST_");
        if text == "LOG_LEVEL" || text.starts_with("BELLWIRE_") && !is_of_tests {
            program.env_remove(name);
        }
    }
    program
}

/// The program on a file system of its own at this folder, with so much room, of which a file `ballast` takes a part;
/// `None` where none may be mounted. Others see it through the process alone.
pub fn in_small_room(folder: &Path, size: &str, ballast: &str) -> Option<Command> {
    let may_mount = output(Command::new("unshare").args(["--mount", "true"]), DEADLINE);
    if !geteuid().is_root() || !may_mount.status.success() {
        return None;
    }
    let mount = format!(
        r#"mount -t tmpfs -o size={size} tmpfs "$1" && head -c {ballast} /dev/zero > "$1/ballast" && shift && exec "$0" "$@""#
    );
    let mut shell = without_settings(Command::new("unshare"));
    shell.args(["--mount", "sh", "-c", &mount, env!("CARGO_BIN_EXE_bellwire")]).arg(folder);
    Some(shell)
}

/// Calls one of the operator's operations, whether a server runs on this data directory or not.
#[track_caller]
pub fn operate(call: &str, payload: Value, data: &Path) -> Value {
    let Value::Object(payload) = payload else { panic!("a payload is an object") };
    let reply = control::ask(data, call, payload).expect("it is done");
    serde_json::from_str(reply.get()).expect("a reply is JSON")
}

/// Makes a token: its text.
#[track_caller]
pub fn token(data: &Path, role: &str, ttl_s: i64) -> String {
    let request = json!({ "role": role, "scopes": [], "ttl": ttl_s });
    let made = operate("tokens.create", request, data);
    made["token"].as_str().expect("a token has a text").to_owned()
}

/// Runs a program to its end, without input, and gives what it wrote; past the limit it is killed.
#[track_caller]
pub fn output(command: &mut Command, limit: Duration) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    finish(child, limit)
}

#[track_caller]
fn finish(child: Child, limit: Duration) -> Output {
    let pid = Pid::from_child(&child);
    let (tell, output) = mpsc::channel();
    let waiting = thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(output) = output.recv_timeout(limit) else {
        let _ = kill_process(pid, Signal::KILL);
        let _ = waiting.join();
        panic!("no end in {limit:?}");
    };
    output.expect("a child can be waited for")
}

/// A script of `tests/clients`, run by Node or Python as the test command set them up.
pub struct Script {
    command: Command,
}

/// The longest that a script may take; each has a shorter limit of its own.
const SCRIPT_MAX: Duration = Duration::from_secs(150);

impl Script {
    /// `NAME.mjs` or `NAME.py`.
    pub fn new(name: &str) -> Script {
        let folder = PathBuf::from(setting("BELLWIRE_TEST_NODE_DIR"));
        let mut command = match name.ends_with(".py") {
            true => Command::new(setting("BELLWIRE_TEST_PYTHON")),
            false => Command::new("node"),
        };
        command
            .arg(folder.join(name))
            .env("BELLWIRE_TEST_CHROMIUM", setting("BELLWIRE_TEST_CHROMIUM"));
        Script { command }
    }

    /// The client written with `rust_socketio`, which the test command built.
    pub fn rust_socketio() -> Script {
        Script { command: Command::new(setting("BELLWIRE_TEST_RUST_SOCKETIO")) }
    }

    /// To this server, with this token if there is one.
    pub fn to(mut self, address: SocketAddr, token: Option<&str>) -> Script {
        self.command.arg("--address").arg(address.to_string());
        if let Some(token) = token {
            self.command.args(["--token", token]);
        }
        self
    }

    /// With further arguments.
    pub fn args<S: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Script {
        self.command.args(args);
        self
    }

    /// With this in its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Script {
        self.command.env(name, value);
        self
    }

    /// Runs it; it must succeed. Gives what it said.
    #[track_caller]
    pub fn passes(mut self) -> String {
        let output = output(&mut self.command, SCRIPT_MAX);
        passed(&self.command, output)
    }

    /// Runs it to the line `ready-for-restart`, does `restart`, tells it, and it must succeed.
    #[track_caller]
    pub fn passes_over(self, restart: impl FnOnce()) -> String {
        let mut restart = Some(restart);
        self.converse(|line| {
            if line != "ready-for-restart" {
                return None;
            }
            restart.take().expect("it asks once")();
            Some("restarted")
        })
    }

    /// Runs it, does what it names in each line `please ...`, tells it, and it must succeed.
    #[track_caller]
    pub fn passes_asking(self, mut serve: impl FnMut(&str)) -> String {
        self.converse(|line| {
            serve(line.strip_prefix("please ")?);
            Some("done")
        })
    }

    /// Runs it, answering some of its lines, and it must succeed. Gives what it said.
    #[track_caller]
    fn converse(mut self, mut answer: impl FnMut(&str) -> Option<&'static str>) -> String {
        let Script { command } = &mut self;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut stdin: ChildStdin = child.stdin.take().expect("stdin is a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut said = String::new();
        // The script ends by itself when it takes too long, so this read does.
        for line in stdout.lines() {
            let line = line.expect("a pipe can be read");
            if let Some(answer) = answer(&line) {
                writeln!(stdin, "{answer}").expect("it reads");
            }
            said += &format!("{line}\n");
        }
        let mut output = finish(child, SCRIPT_MAX);
        output.stdout = said.into();
        passed(command, output)
    }
}

#[track_caller]
fn passed(command: &Command, output: Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout
}

/// What `cargo xtask test` found or made for the tests.
#[track_caller]
pub fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("run `cargo xtask test`, which sets {name} for this test"))
}

/// The repository's root.
pub fn root() -> PathBuf {
    let server = Path::new(env!("CARGO_MANIFEST_DIR"));
    server.ancestors().nth(2).expect("the crate lies in the repository").to_owned()
}
