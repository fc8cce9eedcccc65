//! What an operator does, and gets wrong: each mistake is answered in one sentence that says what to
//! do, and a status that is not 0.

use std::{fs, net::TcpListener, path::Path, process::Stdio};

use serde_json::json;

use crate::{
    harness::{Ask, DEADLINE, Dial},
    process::{self, ANY_PORT, Process, bellwire, output},
    traffic,
};

/// Runs the program, which must refuse: gives its status and what it said.
#[track_caller]
fn refused(args: &[&str], data: &Path) -> (Option<i32>, String) {
    let output = output(bellwire().args(args).arg("--data").arg(data), DEADLINE);
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).expect("it says texts"))
}

/// `serve` must refuse this directory in one sentence: its beginning and its end.
#[track_caller]
fn check(args: &[&str], data: &Path, begins: &str, ends: &str) {
    let (code, said) = refused(args, data);
    let place = data.display().to_string();
    let sentence = said.strip_prefix("bellwire: ").and_then(|said| said.strip_suffix('\n'));
    let sentence = sentence.unwrap_or_else(|| panic!("{args:?} says {said:?}"));
    assert!(!sentence.contains('\n'), "{args:?} says {sentence:?}");
    let sentence = sentence.replace(&place, "DATA");
    assert!(sentence.starts_with(begins) && sentence.ends_with(ends), "{args:?} says {sentence:?}");
    assert_eq!(code, Some(1), "{sentence}");
}

const SERVE: &[&str] = &["serve", "--listen", ANY_PORT];

/// A data directory that was in use, and is closed.
fn used(data: &Path) {
    process::token(data, "admin", 3_600);
}

#[test]
fn a_data_directory_has_one_server() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let server = Process::serve(folder.path(), ANY_PORT, &[]);
    let database = "The database DATA/bellwire.db is in use by another process";
    check(SERVE, folder.path(), database, ": stop that one first.");
    let token = process::token(folder.path(), "admin", 3_600);
    assert!(traffic::open(server.address(), &token, "").is_some(), "the first one did not notice");
    server.stop();
    Process::serve(folder.path(), ANY_PORT, &[]).stop();
}

/// `bellwire token list | head`: who has read enough closes the pipe.
#[test]
fn who_reads_no_further_ends_it_quietly() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path().join("data");
    let run = |args: &[&str], data: &Path| {
        let (reader, stdout) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let mut program = bellwire();
        program.args(args).arg("--data").arg(data).stdin(Stdio::null()).stdout(stdout);
        let output = program.output().expect("the program starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("it says texts"))
    };
    let (code, said) = run(&["token", "create", "--role", "admin"], &data);
    assert!(code == Some(0) && said.contains("the only time"), "{code:?} {said}");
    let (code, said) = run(&["user", "create", "jane"], &data);
    assert!(code == Some(0) && said.contains("the only time"), "{code:?} {said}");
    for args in [&["token", "list"][..], &["user", "list"], &["config", "check"], &["check"]] {
        assert_eq!(run(args, &data), (Some(0), String::new()), "{args:?}");
    }
    // Nor is anything wrong when nobody reads what is said.
    let (reader, stderr) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let mut program = bellwire();
    program.args(["user", "delete", "jane", "--data"]).arg(&data).stderr(stderr);
    assert_eq!(program.output().expect("the program starts").status.code(), Some(0));
    // What a check finds is in its status, too.
    let damaged = folder.path().join("damaged");
    fs::create_dir(&damaged).expect("a directory can be made");
    fs::write(damaged.join("bellwire.db"), "not a database").expect("it is written");
    let (code, said) = run(&["check"], &damaged);
    assert!(code == Some(1) && said.ends_with(" problems.\n"), "{code:?} {said}");
}

/// What is said of `--data` is so: some make the directory, some need one that is there.
#[test]
fn helps_say_what_becomes_of_the_data_directory() {
    for (args, says) in [
        (&["token", "list"][..], "The data directory; it is made if there is none"),
        (&["user", "list"], "The data directory; it is made if there is none"),
        (&["serve"], "The data directory; it is made if there is none"),
        (&["backup"], "The data directory to copy"),
        (&["check"], "The data directory to check"),
        (&["restore"], "The data directory to make: it must be new or empty"),
    ] {
        let output = output(bellwire().args(args).arg("--help"), DEADLINE);
        let help = String::from_utf8(output.stdout).expect("it is text");
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, data) = help.split_once("--data <DATA> ").expect("it has a data directory");
        assert!(data.starts_with(&format!("{says} [default: bellwire-data")), "{args:?}: {data}");
    }
}

#[test]
fn a_port_has_one_server() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let taken = TcpListener::bind(ANY_PORT).expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let sentence = format!("Cannot listen on {address}; stop what uses it, or choose another");
    let ends = ": Address already in use (os error 98)";
    check(&["serve", "--listen", &address], folder.path(), &sentence, ends);
    check(&["serve", "--demo", "--listen", &address], folder.path(), &sentence, ends);
    // Of two addresses neither is served when one cannot be.
    check(&["serve", "--listen", ANY_PORT, "--listen", &address], folder.path(), &sentence, ends);
}

#[test]
fn data_directories_that_cannot_be_used() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let make = |name: &str, prepare: &dyn Fn(&Path)| {
        let data = folder.path().join(name);
        prepare(&data);
        data
    };
    let file = make("file", &|data| fs::write(data, "").expect("a file is made"));
    let cannot = "The data directory DATA cannot be made; choose another with --data: ";
    check(SERVE, &file, cannot, "File exists (os error 17)");
    check(SERVE, &file.join("below"), cannot, "Not a directory (os error 20)");
    check(&["token", "list"], &file, cannot, "File exists (os error 17)");

    let overwritten = make("overwritten", &|data| {
        used(data);
        let mut bytes = fs::read(data.join("bellwire.db")).expect("it can be read");
        bytes[..100].fill(b'x');
        fs::write(data.join("bellwire.db"), bytes).expect("it can be written");
    });
    let failed = "The database DATA/bellwire.db failed while opening it: ";
    check(SERVE, &overwritten, failed, "file is not a database. Restore a backup.");
    let cut = make("cut", &|data| {
        used(data);
        let bytes = fs::read(data.join("bellwire.db")).expect("it can be read");
        fs::write(data.join("bellwire.db"), &bytes[..5_000]).expect("it can be written");
    });
    check(SERVE, &cut, failed, "database disk image is malformed. Restore a backup.");

    let key = make("key", &|data| {
        used(data);
        fs::write(data.join("keys/k2.key"), "short").expect("it can be written");
    });
    let keys = "The signing keys in DATA/keys cannot be used: ";
    check(SERVE, &key, keys, "DATA/keys/k2.key is not a key of 32 bytes");
}

/// The demo replaces and forgets states: only its own.
#[test]
fn the_demo_keeps_to_its_own_directory() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let token = process::token(data, "admin", 3_600);
    let open = |server: &Process| {
        traffic::open(server.address(), &token, "?since=now").expect("it is upgraded")
    };
    let look = |server: &Process| {
        let mut client = open(server);
        [client.text(), client.ask(r#"{"type":"subscribe_entities"}"#)]
    };
    let server = Process::serve(data, ANY_PORT, &[]);
    let mut writer = open(&server);
    assert!(writer.text().starts_with(r#"{"type":"resumed""#));
    writer.ask(r#"{"type":"states:create","entity_id":"light.hall","state":"ours"}"#);
    let before = look(&server);
    assert!(before[1].contains("light.hall") && before[1].contains("ours"), "{before:?}");
    drop(writer);
    server.stop();
    let sentence = "DATA holds states that no demo made, and the demo would replace them; ";
    for _ in 0..2 {
        let demo = ["serve", "--demo", "--listen", ANY_PORT];
        check(&demo, data, sentence, "give it a directory of its own with --data.");
        let server = Process::serve(data, ANY_PORT, &[]);
        assert_eq!(look(&server), before, "not a row was written");
        server.stop();
    }

    // Nor is it for the devices of others.
    let devices = data.join("devices");
    let server = Process::serve(&devices, ANY_PORT, &[]);
    let token = process::token(&devices, "admin", 3_600);
    let device = json!({ "name": "Ours" });
    let ask = Ask::new(server.address(), "POST", "/api/devices");
    ask.bearer(&token).json(&device).expect(201);
    server.stop();
    let sentence = "DATA holds devices that no demo made, and the demo would add its own; ";
    let demo = ["serve", "--demo", "--listen", ANY_PORT];
    check(&demo, &devices, sentence, "give it a directory of its own with --data.");

    // Its own it takes again, however it ended.
    let own = data.join("own");
    for killed in [true, false, true] {
        let mut server = Process::serve(&own, ANY_PORT, &["--demo", "--demo-speed", "100"]);
        let address = server.address();
        let mut guest = Dial::new(address, "/api/ws").open();
        assert!(guest.text().starts_with(r#"{"type":"state_changed""#));
        drop(guest);
        match killed {
            true => server.kill(),
            false => server.stop(),
        }
    }
}

/// What `LOG_LEVEL` leaves of what is logged: a warning at the start, a word at the end.
#[test]
fn how_much_is_logged() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    Process::serve(folder.path(), ANY_PORT, &[]).stop();
    let database = rusqlite::Connection::open(folder.path().join("bellwire.db")).expect("it opens");
    // As if the clock had been set back since, by a century.
    let later = "UPDATE log SET at = at + 100 * 365 * 86400 * 1000000";
    assert_ne!(database.execute(later, []), Ok(0));
    database.close().expect("it closes");
    let rows = [
        (None, true, true),
        (Some("info"), true, true),
        (Some("INFO"), true, true),
        (Some("debug"), true, true),
        (Some("warn"), true, false),
        (Some("error"), false, false),
        (Some("off"), false, false),
        (Some(""), true, true),
    ];
    for (level, warns, informs) in rows {
        let mut program = bellwire();
        // Whatever says that there is a terminal.
        program.envs([("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]);
        program.env_remove("NO_COLOR").env_remove("LOG_LEVEL");
        program.envs(level.map(|level| ("LOG_LEVEL", level)));
        let mut server =
            Process::serve_by(program, folder.path(), ANY_PORT, &["--log-format", "text"]);
        server.ask_to_stop();
        assert!(server.wait(DEADLINE).success());
        let log = server.log();
        let says = |ends: &str| log.lines().any(|line| line.contains(ends));
        assert_eq!(says(" WARN the clock is behind the newest change"), warns, "{level:?}: {log}");
        assert_eq!(says(" INFO stopping"), informs, "{level:?}: {log}");
        assert!(says("Listening on http://"), "{level:?}: {log}");
        assert!(!log.contains('\u{1b}'), "{level:?}: {log:?}");
    }
}

#[test]
fn a_database_of_a_newer_program_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    used(folder.path());
    let path = folder.path().join("bellwire.db");
    let database = rusqlite::Connection::open(&path).expect("it opens");
    let newer = "UPDATE schema_version SET version = 99 WHERE service = 'states'";
    assert_eq!(database.execute(newer, []), Ok(1));
    database.close().expect("it closes");
    let before = fs::read(&path).expect("it can be read");
    let sentence = "The database DATA/bellwire.db was written by a newer version of this program \
                    (states is at version 99, known here up to ";
    let ends = "): run that version, or restore the copy it made before upgrading.";
    check(SERVE, folder.path(), sentence, ends);
    check(&["token", "list"], folder.path(), sentence, ends);
    assert!(before == fs::read(&path).expect("it can be read"));
}

#[test]
fn arguments_that_are_refused() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path().join("none");
    let demo = "--listen: the demo lets guests in and listens on loopback only, not on ";
    for public in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let ends = format!("{public}; leave out demo (--demo) to serve others.");
        check(&["serve", "--demo", "--listen", public], &data, demo, &ends);
        check(&["serve", "--demo", "--listen", ANY_PORT, "--listen", public], &data, demo, &ends);
    }
    let usage = |args: &[&str], says: &str| {
        let (code, said) = refused(args, &data);
        assert!(said.starts_with("error: ") && said.contains(says), "{args:?} says {said:?}");
        assert_eq!(code, Some(2), "{said}");
    };
    for speed in ["0", "-1", "0.009", "10001", "NaN", "inf", "fast"] {
        let speed = format!("--demo-speed={speed}");
        usage(&["serve", "--demo", &speed], "a number from 0.01 to 10000");
    }
    let without = "--demo-speed: demo_speed is for the demo only; ";
    check(
        &["serve", "--demo-speed", "2"],
        &data,
        without,
        "set demo (--demo) too, or leave it out.",
    );
    usage(&["serve", "--unknown"], "unexpected argument '--unknown'");
    usage(&["serve", "--listen", "localhost"], "an address and a port, e.g. 0.0.0.0:8080");
    usage(&["serve", "--origin", "home.example"], "an origin as browsers send it");
    usage(&["serve", "--log-level", "loud"], "error, warn, info, debug, trace or off");
    usage(&["serve", "--log-format", "xml"], "auto, text or json");
    usage(&["serve", "--listen", "wss://127.0.0.1:0"], "an address and a port");
    usage(&["token", "create", "--role", "king"], "[possible values: admin, user, client, device]");
    for ttl in ["0s", "-1d", "1", "1w", "", "99999999999999999d"] {
        let ttl = format!("--ttl={ttl}");
        usage(&["token", "create", "--role", "user", &ttl], "a number with s, m, h or d, e.g. 30d");
    }
    assert!(!data.exists(), "what is refused leaves nothing behind");
}

/// The four operations on tokens, by the program; gives what it printed.
fn operate(args: &[&str], data: &Path) -> String {
    let output = output(bellwire().arg("token").args(args).arg("--data").arg(data), DEADLINE);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn tokens_while_the_server_runs_and_while_it_does_not() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let create = || {
        let args = ["create", "--role", "user", "--scope", "states:read:light.*", "--ttl", "1h"];
        operate(&args, data).trim_end().to_owned()
    };
    let before = create();
    let server = Process::serve(data, ANY_PORT, &[]);
    let during = create();
    let admits = |server: &Process, token: &str| {
        let mut client = traffic::open(server.address(), token, "").expect("it is upgraded");
        client.ask(r#"{"type":"states:get","entity_id":"light.none"}"#).contains("State not found")
    };
    assert!(admits(&server, &before) && admits(&server, &during));

    // A revocation is heard at once by the live connection.
    let mut live = traffic::open(server.address(), &during, "?since=now").expect("it is upgraded");
    assert!(live.text().starts_with(r#"{"type":"resumed""#));
    operate(&["revoke", "tok_2"], data);
    assert_eq!(live.closed().1, Some(4401));
    drop(live);
    assert!(!admits(&server, &during));
    server.stop();

    operate(&["change", "tok_1", "--scope", "states:write"], data);
    let list = operate(&["list"], data);
    let list: Vec<serde_json::Value> =
        list.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let shown: Vec<_> = list.iter().map(|t| (&t["id"], &t["scopes"], &t["revoked"])).collect();
    let [one, two] =
        [["states:write"], ["states:read:light.*"]].map(|scopes| serde_json::json!(scopes));
    assert_eq!(
        shown,
        [(&"tok_2".into(), &two, &true.into()), (&"tok_1".into(), &one, &false.into())]
    );
    operate(&["revoke", "tok_1"], data);
    check(&["token", "revoke", "tok_1"], data, "there is no live token tok_1", "");
    check(&["token", "change", "tok_9"], data, "there is no live token tok_9", "");
    let server = Process::serve(data, ANY_PORT, &[]);
    assert!(!admits(&server, &before) && !admits(&server, &during));
    server.stop();
}
