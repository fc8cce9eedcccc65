//! Clients of Socket.IO as others write them, each over polling, over WebSocket, and over polling with an upgrade:
//! what they do at a server with states, behind a proxy that can fail, and at one that sends back what it is
//! sent; and how the official one is recovered.
//!
//! The steps are the clients' own, in `tests/clients/socketio`.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::{
    harness::{Ask, DEADLINE, Token},
    network::Proxy,
    process::{self, ANY_PORT, Process, Script, bellwire},
};

/// What the clients meet.
pub(crate) struct Stage {
    folder: TempDir,
    server: Process,
    proxy: Proxy,
    /// Who may do everything.
    admin: String,
    /// Who reads lights, until it is revoked.
    reader: Token,
    /// What the server's environment sets.
    settings: Settings,
}

/// Variables of an environment.
type Settings = &'static [(&'static str, &'static str)];

impl Stage {
    pub(crate) fn set() -> Stage {
        Stage::set_with(&[])
    }

    /// The same of a server with these settings.
    pub(crate) fn set_with(settings: Settings) -> Stage {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let data = folder.path();
        let server = serve(data, ANY_PORT, settings);
        let proxy = Proxy::calm(server.address());
        let (admin, reader) = (process::token(data, "admin", 3_600), reader(data));
        Stage { folder, server, proxy, admin, reader, settings }
    }

    /// A script that was told of the server behind the proxy, and of the tokens.
    fn tell(&self, script: Script, transport: &str) -> Script {
        script
            .to(self.proxy.address(), Some(&self.admin))
            .args(["--transport", transport, "--reader", &self.reader.text])
            // Whoever runs the tests may have a proxy for other addresses.
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
    }

    /// Where the server is, past the proxy.
    pub(crate) fn direct(&self) -> String {
        self.server.address().to_string()
    }

    /// Plays all steps of a script here, and at a server that sends back what it is sent.
    #[track_caller]
    pub(crate) fn plays(mut self, script: Script, transport: &str, says: &str) {
        let mut program = bellwire();
        program.args(["conformance-server", "--listen", ANY_PORT]);
        let mut conformance = Process::run(program);
        let said = self
            .tell(script, transport)
            .args(["--conformance", &conformance.address().to_string()])
            .passes_asking(|request| self.serve(request));
        let wanted = format!("ok: {says} over {transport} played ");
        assert!(said.lines().last().is_some_and(|last| last.starts_with(&wanted)), "{said}");
        // Both at once: each waits a while for clients that poll no more.
        conformance.ask_to_stop();
        self.server.stop();
        assert!(conformance.wait(DEADLINE).success(), "{}", conformance.log());
    }

    /// Runs a script here that needs no reader.
    #[track_caller]
    pub(crate) fn runs(mut self, script: Script, transport: &str, says: &str) {
        let direct = self.direct();
        let said = script
            .to(self.proxy.address(), Some(&self.admin))
            .args(["--transport", transport, "--direct", &direct])
            // Whoever runs the tests may have a proxy for other addresses.
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .passes_asking(|request| self.serve(request));
        let wanted = format!("ok: {says} over {transport} in ");
        assert!(said.lines().last().is_some_and(|last| last.starts_with(&wanted)), "{said}");
        self.server.stop();
    }

    /// Does what a script asks for.
    #[track_caller]
    fn serve(&mut self, request: &str) {
        match request {
            "cut" => self.proxy.cut(),
            "mend" => self.proxy.mend(),
            "revoke" => self.revoke(),
            "restart" => self.restart_after(|_| {}),
            "forget" => self.restart_after(forget),
            _ => panic!("it asks for {request:?}"),
        }
    }

    #[track_caller]
    fn revoke(&self) {
        let path = format!("/api/tokens/{}", self.reader.id);
        let answer = Ask::new(self.server.address(), "DELETE", &path).bearer(&self.admin).send();
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    /// SIGKILL, and another process on the same port and data.
    #[track_caller]
    fn restart_after(&mut self, between: impl FnOnce(&Path)) {
        let address = self.server.address().to_string();
        self.server.kill();
        between(self.folder.path());
        self.server = serve(self.folder.path(), &address, self.settings);
    }
}

#[track_caller]
fn serve(data: &Path, listen: &str, settings: Settings) -> Process {
    let mut program = bellwire();
    program.envs(settings.iter().copied());
    Process::serve_by(program, data, listen, &[])
}

/// Somebody new who reads lights.
#[track_caller]
fn reader(data: &Path) -> Token {
    let request = json!({ "role": "user", "scopes": ["states:read:light.*"], "ttl": 3_600 });
    Token::read(&process::operate("tokens.create", request, data))
}

/// Takes all events out of the log but the newest, which stays for good.
fn forget(data: &Path) {
    let database = rusqlite::Connection::open(data.join("bellwire.db")).expect("it opens");
    let newest = "SELECT MAX(log_offset) FROM log";
    let newest: i64 = database.query_row(newest, [], |row| row.get(0)).expect("there are events");
    for statement in [
        "DELETE FROM log WHERE log_offset < $1",
        "DELETE FROM log_effect WHERE log_offset < $1",
        "DELETE FROM log_block WHERE last_offset < $1",
    ] {
        database.execute(statement, [newest]).expect("the tables are there");
    }
}

/// Plays all steps of a client.
#[track_caller]
fn check(script: Script, transport: &str, says: &str) {
    Stage::set().plays(script, transport, says);
}

/// Plays all cases of a recovery.
#[track_caller]
fn recovers(transport: &str) {
    let mut stage = Stage::set();
    let other = reader(stage.folder.path());
    let direct = stage.direct();
    let said = stage
        .tell(Script::new("socketio/recovery.mjs"), transport)
        .args(["--direct", &direct, "--other", &other.text])
        .passes_asking(|request| stage.serve(request));
    let wanted = format!("ok: recovery over {transport} in ");
    assert!(said.lines().last().is_some_and(|last| last.starts_with(&wanted)), "{said}");
    stage.server.stop();
}

fn javascript(version: &str, transport: &str) {
    let client = format!("socket.io-client-{version}");
    let script = Script::new("socketio/javascript.mjs").args(["--client", &client]);
    check(script, transport, &client);
}

fn python_threads(transport: &str) {
    check(Script::new("socketio/python_sync.py"), transport, "python-socketio with threads");
}

fn python_asyncio(transport: &str) {
    check(Script::new("socketio/python_asyncio.py"), transport, "python-socketio with asyncio");
}

/// A test for each transport.
macro_rules! over_each_transport {
    ($($name:ident: $play:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn polling() {
                $play("polling");
            }

            #[test]
            fn websocket() {
                $play("websocket");
            }

            #[test]
            fn upgrade() {
                $play("upgrade");
            }
        })*
    };
}
pub(crate) use over_each_transport;

over_each_transport! {
    javascript_4_8: |transport| javascript("4.8", transport);
    javascript_4_0: |transport| javascript("4.0", transport);
    javascript_3_1: |transport| javascript("3.1", transport);
    python_with_threads: python_threads;
    python_with_asyncio: python_asyncio;
    rust: |transport| check(Script::rust_socketio(), transport, "rust_socketio");
    recovery: recovers;
}
