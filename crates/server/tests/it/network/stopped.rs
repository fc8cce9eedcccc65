//! Clients of others, whose processes are stopped while things happen (SIGSTOP) until the server does not wait for them
//! any more, and then go on: who has a place comes back to it and has everything, and nobody else notices.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use rustix::process::Signal;

use crate::{
    harness::{Canary, DEADLINE, Server},
    limits::flood,
    process::{setting, signal},
};

/// A client in a process of its own. It ends with its input.
struct Listener {
    child: Child,
    said: mpsc::Receiver<String>,
    heard: Vec<usize>,
    closed: usize,
}

impl Listener {
    #[track_caller]
    fn start(kind: &str, address: SocketAddr, token: &str) -> Listener {
        let script = Path::new(&setting("BELLWIRE_TEST_NODE_DIR")).join("stopped.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .args(["--as", kind, "--address", &address.to_string(), "--token", token])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (tell, said) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let first = said.recv_timeout(DEADLINE);
        assert_eq!(first.as_deref(), Ok("listens"), "{kind}");
        Listener { child, said, heard: Vec::new(), closed: 0 }
    }

    /// Takes in what it says, until it has heard this.
    #[track_caller]
    fn hears(&mut self, last: usize) {
        while self.heard.last() != Some(&last) {
            let said = self.said.recv_timeout(DEADLINE).expect("it says what it hears");
            match said.split_once(' ') {
                Some(("heard", state)) => self.heard.push(state.parse().expect("a number")),
                _ if said.starts_with("closed") => self.closed += 1,
                _ => panic!("it says {said:?}"),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn who_was_stopped_comes_back_and_has_everything() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let token = server.token("user", &["states:read:light.*"]);
    let mut all = ["plain", "socketio", "newest"]
        .map(|kind| Listener::start(kind, server.address(), &token.text));
    let mut writer = server.quiet_admin();
    let mut written = flood(&mut writer, 0, |written| written > 0);
    all.iter_mut().for_each(|listener| listener.hears(written - 1));
    for round in 1..=2 {
        all.iter().for_each(|listener| signal(&listener.child, Signal::STOP));
        let places = 2.0 * f64::from(round);
        written = flood(&mut writer, written, |_| {
            canary.sings();
            server.metric("bellwire_slow_readers_total") >= places
        });
        all.iter().for_each(|listener| signal(&listener.child, Signal::CONT));
        all.iter_mut().for_each(|listener| listener.hears(written - 1));
        canary.sings();
    }
    let [plain, socketio, newest] = &all;
    for listener in [plain, socketio] {
        assert_eq!(listener.heard, (0..written).collect::<Vec<_>>());
        assert!(listener.closed >= 2, "closed {} times", listener.closed);
    }
    assert!(newest.heard.is_sorted_by(|a, b| a < b), "{:?}", newest.heard);
    assert!(newest.heard.len() < written, "nothing was skipped");
}
