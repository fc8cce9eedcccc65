//! What the server logs, in which form, and what must never stand there.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use serde_json::Value;

use crate::{
    harness::{Client, DEADLINE, Dial, read_response},
    process::{self, ANY_PORT, Process, bellwire, in_small_room, without_settings},
};

/// The lines of the log as objects; the plain lines of the start are left out.
#[track_caller]
fn objects(log: &str) -> Vec<Value> {
    let object = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    log.lines().filter(|line| line.starts_with('{')).map(object).collect()
}

#[test]
fn programs_read_an_object_a_line() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let token = process::token(folder.path(), "admin", 3_600);
    let mut server = Process::serve(folder.path(), ANY_PORT, &["--log-level", "debug"]);
    let address = server.address();
    let mut stream = Dial::new(address, "/readyz").tcp();
    stream
        .write_all(b"GET /readyz?a=1&Ticket=secret HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("the server takes it");
    let peer = stream.local_addr().expect("it is connected").ip().to_string();
    assert_eq!(read_response(&mut stream).0.status, 200);
    let dial = Dial::new(address, "/api/ws?token=x").header("Authorization: Bearer x");
    assert_eq!(dial.response().status, 101);
    assert_eq!(Dial::new(address, "/none").response().status, 404);
    drop(Dial::new(address, "/api/ws").bearer(&token).open());
    server.ask_to_stop();
    assert!(server.wait(DEADLINE).success());
    let log = server.log();
    let objects = objects(&log);
    assert_eq!(objects.last().map(|last| &last["message"]), Some(&"stopping".into()), "{log}");
    for object in &objects {
        let text = |key: &str| object[key].as_str().unwrap_or_else(|| panic!("{key}: {object}"));
        assert!(matches!(text("level"), "INFO" | "DEBUG" | "WARN"), "{object}");
        let time: jiff::Timestamp = text("timestamp").parse().expect("RFC 3339");
        assert!(text("timestamp").ends_with('Z') && time.as_second() > 0, "{object}");
    }
    let requests: Vec<_> = objects.iter().filter(|object| object["message"] == "request").collect();
    let shown: Vec<_> =
        requests.iter().map(|r| (r["path"].as_str().expect("a path"), &r["status"])).collect();
    let [ok, switching, none] = [200, 101, 404].map(Value::from);
    let expected = [
        ("/readyz?a=1&Ticket=***", &ok),
        ("/api/ws?token=***", &switching),
        ("/none", &none),
        ("/api/ws", &switching),
    ];
    assert_eq!(shown, expected, "{log}");
    assert_eq!((&requests[0]["method"], &requests[0]["peer"]), (&"GET".into(), &peer.into()));
    assert!(requests[0]["ms"].is_u64() && requests[0].get("fields").is_none(), "{log}");
}

/// Everything that a client can put a token into, to a server that logs all it can.
#[test]
fn tokens_stand_in_no_log() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let token = process::token(folder.path(), "admin", 3_600);
    for format in ["json", "text"] {
        let mut program = bellwire();
        program.env("LOG_LEVEL", "trace").env_remove("BELLWIRE_LOGGING__LEVEL");
        let options = ["--log-format", format];
        let mut server = Process::serve_by(program, folder.path(), ANY_PORT, &options);
        let address = server.address();
        let live =
            |client: &mut Client| client.ask(r#"{"type":"states:get","entity_id":"light.none"}"#);
        let mut by_header = Dial::new(address, "/api/ws").bearer(&token).open();
        let mut by_query = Dial::new(address, &format!("/api/ws?token={token}")).open();
        let mut by_message = Dial::new(address, "/api/ws?auth=message").open();
        by_message.send(&format!(r#"{{"type":"auth","token":"{token}"}}"#));
        for client in [&mut by_header, &mut by_query, &mut by_message] {
            assert!(live(client).contains("State not found"));
        }
        // Where it does not belong, once it is open too.
        by_header.ask(&format!(r#"{{"type":"{token}","token":"{token}"}}"#));
        by_header.ask(&format!(r#"{{"type":"states:get","entity_id":"{token}"}}"#));
        by_header.ask(&format!(r#"{{"type":"auth","token":"{token}"#));
        let malformed = [
            format!("GET /api/ws?TOKEN={token} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            format!(
                "GET /api/ws?%74oken={token}&x={token}&{token} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            ),
            format!("GET /{token} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            format!("{token} / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            format!(
                "GET / HTTP/1.1\r\nHost: {token}\r\nHost: {token}\r\nCookie: a={token}\r\n\r\n"
            ),
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nBearer {token}\r\n\r\n"),
            format!("GET / HTTP/{token}\r\n\r\n"),
            format!("{token}\r\n\r\n"),
        ];
        for request in malformed {
            let mut stream = Dial::new(address, "/").tcp();
            stream.write_all(request.as_bytes()).expect("the server takes it");
            let status = read_response(&mut stream).0.status;
            assert!((400..500).contains(&status), "{status}: {request}");
        }
        drop((by_header, by_query, by_message));
        server.ask_to_stop();
        assert!(server.wait(DEADLINE).success());
        let log = server.log();
        assert!(log.contains("/api/ws?%74oken=***&x=***&***"), "it logs requests: {log}");
        // The part that only who holds the token can know, whole or cut.
        let signature = token.rsplit('.').next().expect("a signed token");
        for secret in [token.as_str(), signature, &signature[..16]] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

/// On a terminal it is text with colours, or what is asked for.
#[test]
fn people_read_text() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    for (options, expected) in [
        (&[][..], "\u{1b}[32m INFO\u{1b}[0m stopping"),
        (&["--log-format", "json"], r#""level":"INFO","message":"stopping"}"#),
    ] {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it is ours");
        let name = ptsname(&terminal, Vec::new()).expect("it has a name");
        let name = name.to_str().expect("a path in /dev").to_owned();
        let end = File::options().read(true).write(true).open(name).expect("it opens");
        let mut program = bellwire();
        program.args(["serve", "--listen", ANY_PORT, "--data"]).arg(folder.path()).args(options);
        program.env_remove("NO_COLOR").env_remove("LOG_LEVEL").stdin(Stdio::null()).stderr(end);
        let child = program.spawn().expect("the program starts");
        // What still holds the other end keeps the terminal from closing.
        drop(program);
        let pid = Pid::from_child(&child);
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(File::from(terminal)).lines();
            lines.map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        let until = Instant::now() + DEADLINE;
        let mut said = Vec::new();
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line.starts_with("How to operate it") {
                kill_process(pid, Signal::TERM).expect("it runs");
            }
            said.push(line);
        }
        let status = { child }.wait().expect("a child can be waited for");
        assert!(status.success(), "{said:?}");
        assert!(said.iter().any(|line| line.trim_end().ends_with(expected)), "{said:?}");
    }
}

/// The most lines that a disk may cost that is full for as long as this test takes.
const FULL_LINES_MAX: usize = 1 + DEADLINE.as_secs() as usize / 10;

#[test]
fn a_full_disk_is_not_told_of_with_every_command() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let mut program = in_small_room(folder.path(), "2000k", "0").unwrap_or_else(|| {
        eprintln!(
            "no file system may be mounted here: files of at most 1,600 KiB stand for a full disk"
        );
        let mut shell = without_settings(Command::new("sh"));
        let limit = r#"trap '' XFSZ; ulimit -f 3200; exec "$0" "$@""#;
        shell.args(["-c", limit, env!("CARGO_BIN_EXE_bellwire")]);
        shell
    });
    program.args(["serve", "--demo", "--demo-speed", "10000", "--listen", ANY_PORT, "--data"]);
    program.arg(folder.path().join("data"));
    let mut server = Process::run(program);
    let mut guest = Dial::new(server.address(), "/api/ws").open();
    guest.send(r#"{"type":"subscribe_entities","entity_ids":[]}"#);
    let pad = "x".repeat(8_000);
    let mut refused = 0;
    let began = Instant::now();
    while refused < 100 {
        assert!(began.elapsed() < DEADLINE, "the disk is not full: {}", server.log());
        let write = format!(
            r#"{{"type":"states:create","entity_id":"light.full","state":"on","attributes":{{"a":"{pad}"}}}}"#
        );
        guest.send(&write);
        let answer = loop {
            let text = guest.text();
            if text.contains("states:create:response") {
                break text;
            }
        };
        refused += usize::from(answer.contains("The disk is full"));
    }
    let log = server.log();
    let full: Vec<_> =
        objects(&log).into_iter().filter(|o| o.to_string().contains("full")).collect();
    let of_commands = full.iter().filter(|o| o["level"] == "ERROR");
    assert!((1..=FULL_LINES_MAX).contains(&of_commands.count()), "{log}");
    assert!(full.len() <= 3 * FULL_LINES_MAX, "of commands, of the demo, of housekeeping: {log}");
    assert!(full.iter().any(|object| object["left_out"].is_u64()), "{log}");
    server.ask_to_stop();
    server.wait(DEADLINE + Duration::from_secs(10));
}
