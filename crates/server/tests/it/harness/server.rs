//! The program, started and ended.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use bellwire::control;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Ask, Client, DEADLINE, Dial, Response, until};
use crate::process::{bellwire, without_settings};

/// A running server. It is killed when this is dropped, and its data directory goes with the last
/// server that used it.
pub struct Server {
    child: Child,
    /// What it was started with, for the one that goes on after it.
    settings: Vec<(String, String)>,
    address: SocketAddr,
    data: Arc<TempDir>,
    /// What it wrote on stderr. A `Mutex`: the thread that reads the pipe writes, tests read.
    log: Arc<Mutex<String>>,
    /// Its further listeners, in their order. A `Mutex` lets threads of a test share the server.
    listeners: Mutex<mpsc::Receiver<(Speaks, SocketAddr)>>,
}

/// What a listener speaks, as the server tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// `http`.
    Http,
    /// `https`.
    Https,
    /// `https` and `http`.
    Either,
}

/// A token and its id.
#[derive(Debug, Clone)]
pub struct Token {
    /// E.g. `tok_7`.
    pub id: String,
    /// The signed text.
    pub text: String,
}

/// The password of every [`user`](Server::user).
pub const USER_PASSWORD: &str = "correct horse";

impl Token {
    /// The token that a reply shows.
    pub fn read(made: &Value) -> Token {
        let text = |key: &str| made[key].as_str().expect("a token has it").to_owned();
        Token { id: text("id"), text: text("token") }
    }
}

impl Server {
    /// A server on a new data directory, closed to guests.
    pub fn start() -> Server {
        Server::launch(Arc::new(tempfile::tempdir().expect("a directory can be made")), &[])
    }

    /// A demo on a new data directory. It replays its recording: expect events.
    pub fn demo() -> Server {
        let data = Arc::new(tempfile::tempdir().expect("a directory can be made"));
        Server::launch(data, &["--demo"])
    }

    /// A server with these settings, each as `BELLWIRE_NAME` has it.
    pub fn with(settings: &[(&str, &str)]) -> Server {
        let data = Arc::new(tempfile::tempdir().expect("a directory can be made"));
        let named =
            |(name, value): &(&str, &str)| (format!("BELLWIRE_{name}"), (*value).to_owned());
        Server::launch_set(settings.iter().map(named).collect(), data, &[])
    }

    /// A server on a new data directory with further options, listeners among them.
    pub fn with_options(options: &[&str]) -> Server {
        Server::launch(Arc::new(tempfile::tempdir().expect("a directory can be made")), options)
    }

    /// A server that may have so many descriptors.
    pub fn with_descriptors(count: u32) -> Server {
        let mut shell = without_settings(Command::new("sh"));
        let program = env!("CARGO_BIN_EXE_bellwire");
        shell.args(["-c", &format!(r#"ulimit -n {count}; exec "$0" "$@""#), program]);
        let data = Arc::new(tempfile::tempdir().expect("a directory can be made"));
        Server::launch_with(shell, data, &[])
    }

    fn launch(data: Arc<TempDir>, options: &[&str]) -> Server {
        Server::launch_with(bellwire(), data, options)
    }

    fn launch_set(settings: Vec<(String, String)>, data: Arc<TempDir>, options: &[&str]) -> Server {
        let mut program = bellwire();
        program.envs(settings.iter().map(|(name, value)| (name, value)));
        let mut server = Server::launch_with(program, data, options);
        server.settings = settings;
        server
    }

    fn launch_with(mut program: Command, data: Arc<TempDir>, options: &[&str]) -> Server {
        let mut child = program
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (log, listeners) = follow(child.stderr.take().expect("stderr is a pipe"));
        let Ok((Speaks::Http, address)) = listeners.recv_timeout(DEADLINE) else {
            let _ = child.kill();
            panic!("the server does not listen: {}", log.lock().expect("nobody panics here"));
        };
        let listeners = Mutex::new(listeners);
        let settings = Vec::new();
        let server = Server { child, settings, address, data, log, listeners };
        assert_eq!(server.get("/readyz").status, 200);
        server
    }

    /// Kills it, and starts another on the same data directory.
    pub fn kill_and_restart(self) -> Server {
        self.restart_after(|| {})
    }

    /// Kills it, and starts another on the same data directory, with the same settings, once `between` was done.
    pub fn restart_after(self, between: impl FnOnce()) -> Server {
        let (data, settings) = (self.data.clone(), self.settings.clone());
        drop(self);
        between();
        Server::launch_set(settings, data, &[])
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The address of its next listener, which must speak this.
    pub fn listener_that(&self, speaks: Speaks) -> SocketAddr {
        let listeners = self.listeners.lock().expect("nobody panics under this lock");
        let (told, address) = listeners.recv_timeout(DEADLINE).expect("it listens");
        assert_eq!(told, speaks);
        address
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("nobody panics under this lock").clone()
    }

    /// Calls one of the operator's operations, as `bellwire token` does.
    pub fn operate(&self, call: &str, payload: Value) -> Result<Value, String> {
        let Value::Object(payload) = payload else { panic!("a payload is an object") };
        let reply = control::ask(self.data(), call, payload).map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(reply.get()).expect("a reply is JSON"))
    }

    /// Makes a token that lives for an hour.
    pub fn token(&self, role: &str, scopes: &[&str]) -> Token {
        self.token_for(role, scopes, 3_600)
    }

    /// Makes a token that lives for so many seconds.
    pub fn token_for(&self, role: &str, scopes: &[&str], ttl_s: i64) -> Token {
        let request = json!({ "role": role, "scopes": scopes, "ttl": ttl_s });
        Token::read(&self.operate("tokens.create", request).expect("a token is made"))
    }

    /// Begins a request of REST.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.address, method, path)
    }

    /// The password of the `admin` that the first start made.
    pub fn admin_password(&self) -> String {
        let said = self.guide();
        let password = said.lines().find_map(|line| line.trim().strip_prefix("password: "));
        password.expect("the first start tells it").to_owned()
    }

    /// What it logged, with all that it says to whoever has just started it.
    #[track_caller]
    pub fn guide(&self) -> String {
        until("it says what is next", || self.log().contains("How to operate it: "));
        self.log()
    }

    /// Signs in, and gives the session's token.
    pub fn sign_in(&self, username: &str, password: &str) -> String {
        let body = json!({ "username": username, "password": password });
        let session = self.ask("POST", "/api/auth/login").json(&body).expect(200);
        session["token"].as_str().expect("a session has a token").to_owned()
    }

    /// Makes a user whose login is the name; gives the id.
    pub fn user(&self, username: &str, role: &str, scopes: &[&str]) -> String {
        let request = json!({
            "username": username, "password": USER_PASSWORD, "role": role, "scopes": scopes,
        });
        let made = self.operate("users.create", request).expect("a user is made");
        made["userId"].as_str().expect("a user has an id").to_owned()
    }

    /// Makes a token that speaks for a user, for an hour; without scopes it has the user's.
    pub fn token_of(&self, role: &str, user_id: &str, scopes: &[&str]) -> Token {
        let request = json!({ "role": role, "subject": user_id, "scopes": scopes, "ttl": 3_600 });
        Token::read(&self.operate("tokens.create", request).expect("a token is made"))
    }

    /// Begins a request to a path.
    pub fn dial(&self, path: &str) -> Dial {
        Dial::new(self.address, path)
    }

    /// A connection of a new admin to `/api/ws`.
    pub fn admin(&self) -> Client {
        self.connect(&self.token("admin", &[]))
    }

    /// The same, but it hears of no event: what it is told are answers.
    pub fn quiet_admin(&self) -> Client {
        let mut client = self.admin();
        client.hears_of_nothing();
        client
    }

    /// A connection to `/api/ws`.
    pub fn connect(&self, token: &Token) -> Client {
        self.dial("/api/ws").bearer(&token.text).open()
    }

    /// The same, once it is live: it hears whatever happens from now on.
    pub fn listener(&self, token: &Token) -> Client {
        let mut client = self.connect(token);
        assert_eq!(client.told(), [""; 0]);
        client
    }

    /// What a GET answers.
    pub fn get(&self, path: &str) -> Response {
        self.dial(path).exchange(
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
    }

    /// The value of a measure without labels.
    pub fn metric(&self, name: &str) -> f64 {
        metric(self.address, name)
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
        kib.expect("Linux tells VmRSS in kB") * 1024
    }

    /// How long processors worked for it so far.
    pub fn processor_time(&self) -> Duration {
        processor_time(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of a measure without labels, at a server.
pub fn metric(address: SocketAddr, name: &str) -> f64 {
    let metrics = Ask::new(address, "GET", "/metrics").send().body;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().expect("a measure is a number"))
}

/// The unit of times in /proc, USER_HZ: 100 on all machines that Linux runs on today.
const TICK: Duration = Duration::from_millis(10);

/// How long processors worked for a process so far (proc_pid_stat(5), fields 14 and 15).
pub fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in parentheses");
    let ticks = fields.split(' ').skip(11).take(2);
    ticks.map(|field| TICK * field.parse::<u32>().expect("it is a number")).sum()
}

/// Keeps what comes out of the pipe, and tells where the server listens.
fn follow(stderr: ChildStderr) -> (Arc<Mutex<String>>, mpsc::Receiver<(Speaks, SocketAddr)>) {
    let (tell, listeners) = mpsc::channel();
    let log = Arc::new(Mutex::new(String::new()));
    let lines = log.clone();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            *lines.lock().expect("nobody panics under this lock") += &format!("{line}\n");
            if let Some(listener) = listener(&line) {
                let _ = tell.send(listener);
            }
        }
    });
    (log, listeners)
}

/// What a line says of a listener.
fn listener(line: &str) -> Option<(Speaks, SocketAddr)> {
    let (scheme, at) = line.strip_prefix("Listening on ")?.split_once("://")?;
    let (address, more) = at.split_once('/')?;
    let speaks = match (scheme, more) {
        ("http", "") => Speaks::Http,
        ("https", "") => Speaks::Https,
        ("https", more) if more == format!(" and http://{address}/") => Speaks::Either,
        _ => panic!("{line}"),
    };
    Some((speaks, address.parse().expect("an address")))
}
