//! Backups of a server under load, restored and served; what is killed in the middle, and what is
//! refused.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    harness::{Client, DEADLINE, until},
    process::{self, ANY_PORT, Process, bellwire, output, signal, without_settings},
    traffic::{self, Create, answered, rows},
};

/// Runs the program on these paths, to its end: whether it succeeded, what it printed and what it
/// said, with the test's folder written as AT.
#[track_caller]
fn run(mut program: Command, at: &Path, args: &[&str]) -> (bool, String, String) {
    let output = output(program.current_dir(at).args(args), DEADLINE);
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).expect("it prints text");
        text.replace(&at.display().to_string(), "AT")
    };
    assert!(output.status.code().is_some(), "{args:?} was killed: {output:?}");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// What it printed, for it must succeed.
#[track_caller]
fn done(at: &Path, args: &[&str]) -> String {
    let (is_done, printed, said) = run(bellwire(), at, args);
    assert!(is_done, "{args:?}: {printed}{said}");
    printed
}

/// It must refuse, in one sentence that begins so.
#[track_caller]
fn refused(at: &Path, args: &[&str], begins: &str) {
    refused_by(bellwire(), at, args, begins);
}

#[track_caller]
fn refused_by(program: Command, at: &Path, args: &[&str], begins: &str) {
    let (is_done, printed, said) = run(program, at, args);
    assert!(!is_done && printed.is_empty(), "{args:?}: {printed}{said}");
    let sentence = said.strip_prefix("bellwire: ").and_then(|said| said.strip_suffix('\n'));
    let sentence = sentence.unwrap_or_else(|| panic!("{args:?} says {said:?}"));
    assert!(sentence.starts_with(begins) && !sentence.contains('\n'), "{args:?}: {sentence:?}");
}

/// What `check` prints about a directory with problems.
#[track_caller]
fn problems(at: &Path, data: &str) -> Vec<String> {
    let (is_sound, printed, said) = run(bellwire(), at, &["check", "--data", data]);
    assert!(!is_sound, "{printed}");
    let problems: Vec<String> = printed.lines().map(str::to_owned).collect();
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    assert_eq!(said, format!("bellwire: {data} has {count}.\n"));
    problems
}

fn open(server: &Process, token: &str, query: &str) -> Client {
    traffic::open(server.address(), token, query).expect("it is upgraded")
}

/// The first frame of a connection that asks for its place.
fn greeting(server: &Process, token: &str, since: &str) -> Value {
    let frame = open(server, token, &format!("?since={since}")).text();
    serde_json::from_str(&frame).expect("frames are JSON")
}

/// A directory `data` with so many states of 10 kB each, and a token.
fn filled(at: &Path, states: usize) -> String {
    let data = at.join("data");
    let token = process::token(&data, "admin", 3_600);
    let server = Process::serve(&data, ANY_PORT, &[]);
    let mut client = open(&server, &token, "");
    for number in 0..states {
        let attributes = json!({ "text": "x".repeat(10_000) });
        let create = json!({ "type": "states:create", "entity_id": format!("light.l{number}"),
                             "state": "on", "attributes": attributes });
        client.send(&create.to_string());
        assert!(traffic::reply(&mut client).contains(r#""success":true"#));
    }
    drop(client);
    server.stop();
    token
}

/// Every mode below a directory.
#[track_caller]
fn is_private(directory: &Path) {
    for entry in fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it can be read").path();
        let found = fs::metadata(&path).expect("it is there");
        let mode = found.permissions().mode() & 0o777;
        assert_eq!(mode, if found.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
        if found.is_dir() {
            is_private(&path);
        }
    }
}

/// Four writers and their ledger; while they write, backups are made. Each holds every write that was
/// acknowledged before it began, and ids without a hole.
#[test]
fn a_backup_under_load_has_all_that_was_acknowledged_before_it() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let at = folder.path();
    let data = at.join("data");
    let token = process::token(&data, "admin", 3_600);
    let server = Process::serve(&data, ANY_PORT, &[]);
    let old = greeting(&server, &token, "now")["cursor"].as_str().expect("a cursor").to_owned();
    let (ledger, stop) = (Mutex::new(Vec::<Create>::new()), AtomicBool::new(false));
    let acknowledged = || ledger.lock().expect("nobody panics under this lock").clone();
    let backups = thread::scope(|scope| {
        for writer in 0..4 {
            let mut client = open(&server, &token, "");
            let (ledger, stop) = (&ledger, &stop);
            scope.spawn(move || {
                for number in (0..).step_by(8) {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let name = format!("w{writer}");
                    let writes = (number..number + 8).map(|n| Create::new(&name, n)).collect();
                    let writes = answered(&mut client, writes);
                    ledger.lock().expect("nobody panics under this lock").extend(writes);
                }
            });
        }
        let backups: Vec<_> = (0..3)
            .map(|number| {
                let enough = 200 * (number + 1);
                until("writes", || acknowledged().len() >= enough);
                let (name, before) = (format!("backup-{number}"), acknowledged());
                let printed = done(at, &["backup", "--data", "data", &name]);
                assert!(printed.starts_with(&format!("{name} is a backup of data: ")), "{printed}");
                assert!(
                    printed.ends_with(".\n") && printed.contains(" rows of states, log up to ")
                );
                (name, before)
            })
            .collect();
        stop.store(true, Relaxed);
        backups
    });
    let all = acknowledged();
    assert!(done(at, &["check", "--data", "data"]).starts_with("data is sound: "));
    server.stop();
    for (name, before) in backups {
        is_private(&at.join(&name));
        let printed = done(at, &["restore", &name, "--data", "restored"]);
        assert!(
            printed.contains("every revocation") && printed.contains("--new-keys"),
            "{printed}"
        );
        is_private(&at.join("restored"));
        let server = Process::serve(&at.join("restored"), ANY_PORT, &[]);
        let reset = greeting(&server, &token, &old);
        assert_eq!((&reset["type"], &reset["reason"]), (&json!("reset"), &json!("epoch")));
        let rows = rows(&mut open(&server, &token, "?since=now").greeted());
        assert!(before.len() <= rows.len() && rows.len() <= all.len() + 32);
        for write in &before {
            let id = usize::try_from(write.id.unwrap_or_default()).expect("ids are positive");
            let row = rows.get(id - 1).unwrap_or_else(|| panic!("lost: {write:?}"));
            assert_eq!(*row, (write.entity.clone(), write.state.clone()));
        }
        server.stop();
        fs::remove_dir_all(at.join("restored")).expect("it can be taken away");
    }
}

trait Greeted {
    /// The same client, after its first frame.
    fn greeted(self) -> Self;
}

impl Greeted for Client {
    fn greeted(mut self) -> Client {
        assert!(self.text().starts_with(r#"{"type":"resumed""#));
        self
    }
}

/// One backup restored twice, with its keys and with new ones, into a new and an empty directory.
#[test]
fn restored_directories_are_served_and_know_no_cursor_but_their_own() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let at = folder.path();
    let token = filled(at, 3);
    fs::create_dir(at.join("data/tls")).expect("room");
    fs::write(at.join("data/tls/key.pem"), "a key").expect("room");
    fs::write(at.join("data/demo"), "A demo made the states here.\n").expect("room");
    done(at, &["backup", "--data", "data", "backup"]);
    process::operate("tokens.revoke", json!({ "id": "tok_1" }), &at.join("data"));
    let note = fs::read(at.join("backup/backup.json")).expect("it is there");
    let note: Value = serde_json::from_slice(&note).expect("it is JSON");
    assert_eq!((&note["version"], &note["head"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(5)));

    fs::create_dir(at.join("second")).expect("room");
    let mut cursors = vec![format!("{}.2", note["epoch"].as_str().expect("a text"))];
    for name in ["first", "second"] {
        done(at, &["restore", "backup", "--data", name]);
        is_private(&at.join(name));
        let key = fs::read_to_string(at.join(name).join("tls/key.pem")).expect("it is there");
        assert!(key == "a key" && at.join(name).join("demo").exists());
        // What a demo made is not served in earnest; here nothing was.
        fs::remove_file(at.join(name).join("demo")).expect("it is there");
        assert!(!at.join(name).join("backup.json").exists(), "it is no backup");
        let server = Process::serve(&at.join(name), ANY_PORT, &[]);
        // The revocation came after the backup.
        for cursor in &cursors {
            let reset = greeting(&server, &token, cursor);
            assert_eq!((&reset["type"], &reset["reason"]), (&json!("reset"), &json!("epoch")));
        }
        let mut client = open(&server, &token, "");
        for number in 0..3 {
            let get = json!({ "type": "states:get", "entity_id": format!("light.l{number}") });
            assert!(client.ask(&get.to_string()).contains(r#""state":"on""#));
        }
        let made = client.ask(r#"{"type":"states:create","entity_id":"light.new","state":"on"}"#);
        assert!(made.contains(r#""state_id":4"#) || client.text().contains(r#""state_id":4"#));
        let cursor = greeting(&server, &token, "now")["cursor"].as_str().map(str::to_owned);
        cursors.push(cursor.expect("a cursor"));
        drop(client);
        server.stop();
        assert!(
            done(at, &["check", "--data", name]).starts_with(&format!("{name} is sound: 4 rows"))
        );
    }
    let printed = done(at, &["restore", "backup", "--data", "third", "--new-keys"]);
    assert!(printed.contains("no token of before is valid any more"), "{printed}");
    fs::remove_file(at.join("third/demo")).expect("it is there");
    let server = Process::serve(&at.join("third"), ANY_PORT, &[]);
    assert_eq!(
        traffic::open(server.address(), &token, "").map(|mut c| c.closed().1),
        Some(Some(4401))
    );
    let new = process::token(&at.join("third"), "admin", 3_600);
    assert_eq!(greeting(&server, &new, "now")["type"], "resumed");
    server.stop();
}

/// Starts the program on these paths and does not wait for it.
fn start(at: &Path, args: &[&str]) -> Child {
    let mut program = bellwire();
    program.current_dir(at).args(args).stdin(Stdio::null());
    program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

fn kill(mut child: Child) {
    child.kill().expect("it is not reaped yet");
    child.wait().expect("a child can be waited for");
}

/// So many files in the folder that is copied last take a while: the copy can be stopped among them.
fn hold_up(data: &Path) {
    let held = data.join("tls/held");
    fs::create_dir_all(&held).expect("room");
    (0..2_000).for_each(|number| fs::write(held.join(number.to_string()), "").expect("room"));
}

/// Stops a copy among those files.
fn stop_in(part: &Path, child: &Child) {
    until("the last folder", || part.join("tls/held").exists());
    signal(child, Signal::STOP);
}

#[test]
fn what_is_killed_in_the_middle_leaves_no_directory() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let at = folder.path();
    filled(at, 1_000);
    let make = ["backup", "--data", "data", "backup"];
    // While the database is copied, and while it is checked.
    let part = at.join("backup.part/bellwire.db.part");
    for megabytes in [0, 1, 3, 6, 9, 100] {
        let mut child = start(at, &make);
        until("a backup", || {
            let len = fs::metadata(&part).map_or(0, |part| part.len());
            len > megabytes << 20 || child.try_wait().expect("a child can be asked").is_some()
        });
        let _ = child.kill();
        child.wait().expect("a child can be waited for");
        if at.join("backup").exists() {
            done(at, &["check", "--data", "backup"]);
            fs::remove_dir_all(at.join("backup")).expect("it can be taken away");
        }
    }
    // Behind the database, with everything but the end.
    hold_up(&at.join("data"));
    let child = start(at, &make);
    stop_in(&at.join("backup.part"), &child);
    refused(at, &make, "backup.part is being written by another process: let that one end first.");
    kill(child);
    assert!(!at.join("backup").exists());
    refused(
        at,
        &["serve", "--listen", ANY_PORT, "--data", "backup.part"],
        "backup.part was not filled",
    );
    fs::remove_dir_all(at.join("data/tls/held")).expect("it is there");
    done(at, &make);
    assert!(!at.join("backup.part").exists(), "what was left is gone");

    // Likewise into a directory that is there, as one that is mounted.
    hold_up(&at.join("backup"));
    fs::create_dir(at.join("restored")).expect("room");
    for (data, part) in [("new", "new.part"), ("restored", "restored/unfinished")] {
        let child = start(at, &["restore", "backup", "--data", data]);
        stop_in(&at.join(part), &child);
        kill(child);
        assert!(!at.join(data).join("bellwire.db").exists());
    }
    assert!(!at.join("new").exists());
    let unfinished =
        "restored was not filled to its end: empty it, and make the backup or the restore";
    refused(at, &["serve", "--listen", ANY_PORT, "--data", "restored"], unfinished);
    refused(at, &["token", "list", "--data", "restored"], unfinished);
    fs::remove_dir_all(at.join("backup/tls/held")).expect("it is there");
    for data in ["new", "restored"] {
        done(at, &["restore", "backup", "--data", data]);
        done(at, &["check", "--data", data]);
        Process::serve(&at.join(data), ANY_PORT, &[]).stop();
    }
}

/// The program, where no file may have more than so many kilobytes, as on a disk that is full.
fn on_a_full_disk(kilobytes: u32) -> Command {
    let mut shell = without_settings(Command::new("bash"));
    let limited = format!(r#"trap "" XFSZ; ulimit -f {kilobytes}; exec "$0" "$@""#);
    shell.args(["-c", &limited, env!("CARGO_BIN_EXE_bellwire")]);
    shell
}

#[test]
fn a_full_disk_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let at = folder.path();
    filled(at, 100);
    fs::create_dir(at.join("empty")).expect("room");
    done(at, &["backup", "--data", "data", "good"]);
    let cannot = |part: &str| format!("The copy {part}/bellwire.db cannot be written: ");
    // The index of the WAL, beside the original, has 32.
    for kilobytes in [40, 100, 500] {
        for (to, part) in [("backup", "backup.part"), ("empty", "empty/unfinished")] {
            for args in [["backup", "--data", "data", to], ["restore", "good", "--data", to]] {
                refused_by(on_a_full_disk(kilobytes), at, &args, &cannot(part));
                assert!(!at.join("backup").exists() && !at.join("backup.part").exists());
                assert!(fs::read_dir(at.join("empty")).expect("it is there").next().is_none());
            }
        }
    }
    done(at, &["check", "--data", "data"]);
    done(at, &["backup", "--data", "data", "empty"]);
}

#[test]
fn what_is_refused_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let at = folder.path();
    filled(at, 50);
    done(at, &["backup", "--data", "data", "backup"]);
    fs::create_dir(at.join("other")).expect("room");
    fs::write(at.join("other/file"), "").expect("room");
    fs::create_dir(at.join("taken.part")).expect("room");
    fs::write(at.join("taken.part/file"), "").expect("room");
    let from = |from: &str, begins: &str| {
        let problem = problems(at, from);
        assert!(problem.iter().any(|problem| problem.starts_with(begins)), "{problem:?}");
        refused(at, &["backup", "--data", from, "to"], begins);
        refused(at, &["restore", from, "--data", "to"], begins);
        assert!(!at.join("to").exists() && !at.join("to.part").exists());
    };
    from(
        "none",
        "The directory none cannot be used (No such file or directory (os error 2)): name",
    );
    from("other", "other is not a data directory, for it has no bellwire.db: name another one.");
    from("other/file", "other/file is not a directory: name another one.");
    let to = |to: &str, begins: &str| {
        refused(at, &["backup", "--data", "data", to], begins);
        refused(at, &["restore", "backup", "--data", to], begins);
    };
    to("other", "other is not empty: choose a directory that is new or empty.");
    to("data/", "data is not empty: choose a directory that is new or empty.");
    to("other/file", "other/file cannot be used (Not a directory (os error 20)): choose another");
    to(
        "other/file/below",
        "other/file/below cannot be used (Not a directory (os error 20)): choose",
    );
    to("taken", "taken.part is in the way: move it elsewhere.");
    // A folder that others prepared, so that the keys would come to lie in it.
    fs::create_dir(at.join("trap.part")).expect("room");
    fs::write(at.join("trap.part/unfinished.lock"), "").expect("room");
    to("trap", "trap.part is in the way: move it elsewhere.");
    fs::set_permissions(at.join("trap.part"), fs::Permissions::from_mode(0o700)).expect("ours");
    done(at, &["backup", "--data", "data", "trap"]);

    fs::write(at.join("data/keys/k2.key"), "short").expect("room");
    let keys =
        "The signing keys in data/keys cannot be used: data/keys/k2.key is not a key of 32 bytes";
    from("data", keys);
    fs::remove_file(at.join("data/keys/k2.key")).expect("it is there");
    fs::rename(at.join("data/keys"), at.join("keys")).expect("it is there");
    from("data", "The signing keys in data/keys cannot be used: No such file or directory");
    fs::rename(at.join("keys"), at.join("data/keys")).expect("it is there");

    let database = rusqlite::Connection::open(at.join("data/bellwire.db")).expect("it opens");
    let newer = "UPDATE schema_version SET version = version + 98 WHERE service = 'states'";
    assert_eq!(database.execute(newer, []), Ok(1));
    let newer =
        "The database data/bellwire.db was written by a newer version of this program (states";
    assert!(problems(at, "data")[0].starts_with(newer));
    refused(at, &["backup", "--data", "data", "to"], newer);
    let restore = ["restore", "data", "--data", "to"];
    refused(at, &restore, &format!("data cannot be restored. {newer}"));
}

/// What an attacker may have put into a directory, or prepared as one.
#[test]
fn links_and_pipes_are_not_followed() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let at = folder.path();
    filled(at, 1);
    fs::create_dir_all(at.join("data/tls")).expect("room");
    fs::write(at.join("secret"), "of somebody else").expect("room");
    let no_copy = |begins: &str| {
        refused(at, &["backup", "--data", "data", "to"], begins);
        refused(at, &["restore", "data", "--data", "to"], begins);
        assert!(!at.join("to").exists() && !at.join("to.part").exists());
    };
    let kinds =
        [("ln", vec!["-s", "/dev/zero"]), ("ln", vec!["-s", "../../secret"]), ("mkfifo", vec![])];
    for (program, options) in kinds {
        for name in
            ["data/keys/k2.key", "data/keys/other", "data/tls/server.key", "data/backup.json"]
        {
            let mut make = Command::new(program);
            assert!(
                output(make.current_dir(at).args(&options).arg(name), DEADLINE).status.success()
            );
            let sentence = format!("{name} cannot be read: it is not a regular file; move it");
            if name.ends_with("k2.key") {
                let sentence = format!("The signing keys in data/keys cannot be used: {sentence}");
                assert!(problems(at, "data").iter().any(|told| told.starts_with(&sentence)));
                no_copy(&sentence);
            } else if name.ends_with("json") {
                refused(at, &["restore", "data", "--data", "to"], &sentence);
            } else {
                no_copy(&sentence);
            }
            fs::remove_file(at.join(name)).expect("it is there");
        }
    }
    fs::rename(at.join("data/tls"), at.join("tls")).expect("it is there");
    std::os::unix::fs::symlink("../tls", at.join("data/tls")).expect("room");
    no_copy("data/tls cannot be read: it is not a regular file; move it elsewhere");
    fs::remove_file(at.join("data/tls")).expect("it is there");

    let prepare = |mode| {
        fs::create_dir(at.join("empty")).expect("room");
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(at.join("empty"), mode).expect("it is ours");
    };
    let no_target = |begins: &str| {
        refused(at, &["backup", "--data", "data", "empty"], begins);
        refused(at, &["restore", "data", "--data", "empty"], begins);
        fs::remove_dir(at.join("empty")).expect("nothing is in it");
    };
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        prepare(mode);
        no_target("empty can be written by others than its owner: run `chmod 700 empty`.");
    }
    prepare(0o700);
    // Only who may give things away can have it belong to somebody else.
    if std::os::unix::fs::chown(at.join("empty"), Some(65_534), None).is_ok() {
        no_target("empty belongs to another user: run this as that user, or choose another");
        prepare(0o755);
    }
    done(at, &["backup", "--data", "data", "empty"]);
}

/// A copy of a key, with a name that comes after it, would be the newest: it does not sign.
#[test]
fn a_copy_of_a_key_is_not_used() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path().join("data");
    let token = process::token(&data, "admin", 3_600);
    for name in ["k1-old-copy.key", "old.key", "k.key", "kk2.key"] {
        fs::write(data.join("keys").join(name), [7; 32]).expect("room");
    }
    let server = Process::serve(&data, ANY_PORT, &[]);
    drop(open(&server, &token, ""));
    for name in ["k1-old-copy", "old", "k", "kk2"] {
        server.says(&format!("keys/{name}.key is not used as a key: keys are named k1.key"));
    }
    server.stop();
    let kid = |token: &str| {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        let head = token.split('.').next().unwrap_or_default();
        let head = BASE64_URL_SAFE_NO_PAD.decode(head).expect("it is base64");
        serde_json::from_slice::<Value>(&head).expect("it is JSON")["kid"].clone()
    };
    assert_eq!(kid(&process::token(&data, "admin", 3_600)), "k1");
}

#[test]
fn a_check_finds_damage_holes_and_loose_modes() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let at = folder.path();
    filled(at, 50);
    let data = at.join("data");
    let path = data.join("bellwire.db");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    mode(&data, 0o755);
    mode(&data.join("keys/k1.key"), 0o640);
    mode(&path, 0o604);
    let found = problems(at, "data");
    for (path, mode, right) in
        [("data", 755, 700), ("data/bellwire.db", 604, 600), ("data/keys/k1.key", 640, 600)]
    {
        let sentence = format!(
            "{path} can be used by others than its owner (mode {mode}): run `chmod {right} {path}`."
        );
        assert!(found.contains(&sentence), "{sentence} in {found:?}");
    }
    mode(&data, 0o700);
    mode(&data.join("keys/k1.key"), 0o600);
    mode(&path, 0o600);
    assert_eq!(
        done(at, &["check", "--data", "data"]),
        "data is sound: 50 rows of states, 52 of the log up to 52.\n"
    );

    let sound = fs::read(&path).expect("it can be read");
    let database = rusqlite::Connection::open(&path).expect("it opens");
    let root: u32 = database
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'states'", [], |row| row.get(0))
        .expect("it is there");
    let root = root as usize;
    assert_eq!(database.execute("DELETE FROM log WHERE log_offset = 20", []), Ok(1));
    database.close().expect("it closes");
    let hole = "In data/bellwire.db, the log has a hole: nothing stands between 19 and 21: restore a \
                backup.";
    assert_eq!(problems(at, "data"), [hole]);
    refused(at, &["restore", "data", "--data", "to"], &format!("data cannot be restored. {hole}"));

    let mut damaged = sound.clone();
    damaged[(root - 1) * 4096..root * 4096].iter_mut().for_each(|byte| *byte = !*byte);
    fs::write(&path, damaged).expect("room");
    for beside in ["-wal", "-shm"] {
        let _ = fs::remove_file(data.join(format!("bellwire.db{beside}")));
    }
    let found = problems(at, "data");
    assert!(found[0].starts_with("In data/bellwire.db, the pages are damaged ("), "{found:?}");
    let begins =
        "The database data/bellwire.db is damaged and was not copied (the pages are damaged";
    refused(at, &["backup", "--data", "data", "to"], begins);
    refused(
        at,
        &["restore", "data", "--data", "to"],
        "data cannot be restored. In data/bellwire.db, ",
    );
    assert!(!at.join("to").exists() && !at.join("to.part").exists());
}
