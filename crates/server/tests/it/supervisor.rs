//! The process and whoever runs it: signals, and systemd.

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    harness::{DEADLINE, Got},
    process::{self, ANY_PORT, Process, bellwire, output},
    traffic,
};

/// Hears what a server tells its supervisor.
struct Ear(UnixDatagram);

impl Ear {
    fn new(socket: UnixDatagram) -> Ear {
        socket.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
        Ear(socket)
    }

    #[track_caller]
    fn hears(&self) -> String {
        let mut bytes = [0; 1_000];
        let len = self.0.recv(&mut bytes).expect("the supervisor is told something");
        String::from_utf8(bytes[..len].to_vec()).expect("it is text")
    }
}

/// Starts a server with `NOTIFY_SOCKET`, hears that it is ready, lives, and stops.
fn check(mut program: Command, name: &str, ear: &Ear) {
    program.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    let mut server = Process::run(program);
    let but_life = || std::iter::repeat_with(|| ear.hears()).find(|heard| heard != "WATCHDOG=1");
    // Signs of life may come before it listens.
    assert_eq!(but_life().as_deref(), Some("READY=1"));
    assert_eq!([ear.hears(), ear.hears()], ["WATCHDOG=1"; 2]);
    server.ask_to_stop();
    assert_eq!(but_life().as_deref(), Some("STOPPING=1"));
    assert!(server.wait(DEADLINE).success(), "{}", server.log());
}

fn serve(data: &Path) -> Command {
    let mut serve = bellwire();
    serve.args(["serve", "--listen", ANY_PORT, "--data"]).arg(data);
    serve
}

#[test]
fn a_supervisor_is_told_how_it_is() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let path = folder.path().join("notify");
    let ear = Ear::new(UnixDatagram::bind(&path).expect("a socket can be made"));
    check(serve(&folder.path().join("data")), path.to_str().expect("it is text"), &ear);

    let name = format!("bellwire-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("it is short");
    let ear = Ear::new(UnixDatagram::bind_addr(&address).expect("a socket can be made"));
    check(serve(&folder.path().join("data")), &format!("@{name}"), &ear);
}

/// A supervisor that is not there is no reason not to serve, and somebody else's watchdog is theirs.
#[test]
fn a_supervisor_may_be_gone() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    for socket in ["/none/such", "nonsense", ""] {
        let mut program = serve(folder.path());
        program.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "20000");
        Process::run(program).stop();
    }
    let path = folder.path().join("notify");
    let ear = Ear::new(UnixDatagram::bind(&path).expect("a socket can be made"));
    let mut program = serve(folder.path());
    program.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000").env("WATCHDOG_PID", "1");
    let mut server = Process::run(program);
    assert_eq!(ear.hears(), "READY=1");
    server.ask_to_stop();
    assert_eq!(ear.hears(), "STOPPING=1");
    assert!(server.wait(DEADLINE).success());
}

/// Within a drain, which takes seconds for a client that does not answer its close.
#[test]
fn a_second_request_to_stop_ends_it_at_once() {
    for (first, second) in
        [(Signal::TERM, Signal::TERM), (Signal::INT, Signal::TERM), (Signal::TERM, Signal::INT)]
    {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let token = process::token(folder.path(), "admin", 3_600);
        let options = ["--log-level", "off"];
        let mut server = Process::serve(folder.path(), ANY_PORT, &options);
        let mut stubborn = traffic::open(server.address(), &token, "").expect("it is there");
        stubborn.ask(r#"{"type":"states:get","entity_id":"light.none"}"#);
        server.signal(first);
        assert!(matches!(stubborn.next(), Got::Close(Some((1012, _)))));
        server.signal(second);
        let status = server.wait(Duration::from_secs(3));
        assert_eq!(status.code(), Some(1), "{}", server.log());
        let said = "bellwire: told a second time to stop: connections are cut off.\n";
        assert!(server.log().ends_with(said), "{}", server.log());
        // It starts as after a crash.
        Process::serve(folder.path(), ANY_PORT, &options).stop();
    }
}

#[test]
fn a_hangup_ends_nothing() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let server = Process::serve(folder.path(), ANY_PORT, &["--log-level", "info"]);
    server.signal(Signal::HUP);
    server.says("nothing to reload but certificates, which are reloaded by themselves");
    let token = process::token(folder.path(), "admin", 3_600);
    assert!(traffic::open(server.address(), &token, "").is_some());
    server.stop();
}

/// The unit in the documentation starts this program, and systemd takes it.
#[test]
fn the_unit_is_right() {
    let unit = fs::read_to_string(process::root().join("docs/bellwire.service"));
    let unit = unit.expect("it is there");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
    let line = line.expect("a service has it");
    let folder = tempfile::tempdir().expect("a directory can be made");
    let folder = folder.path();
    let (config, data) = (folder.join("bellwire.toml"), folder.join("data"));
    fs::write(&config, format!("listen = [\"{ANY_PORT}\"]\n")).expect("it is written");
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/bellwire"));
    let mut program = bellwire();
    for word in words {
        match word {
            "/etc/bellwire/bellwire.toml" => program.arg(&config),
            "/var/lib/bellwire" => program.arg(&data),
            flag => program.arg(flag),
        };
    }
    let path = folder.join("notify");
    let ear = Ear::new(UnixDatagram::bind(&path).expect("a socket can be made"));
    check(program, path.to_str().expect("it is text"), &ear);
    assert!(data.join("bellwire.db").is_file());

    // The program has to be where the unit says.
    let copy = folder.join("bellwire.service");
    let here = unit.replace("/usr/local/bin/bellwire", env!("CARGO_BIN_EXE_bellwire"));
    fs::write(&copy, here).expect("it is written");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]).arg(&copy);
    let verified = output(&mut verify, DEADLINE);
    assert!(verified.status.success() && verified.stderr.is_empty(), "{verified:?}");
}
