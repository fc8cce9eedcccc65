//! A disk that fails once, under the real binary with all services at work (promise 2): nothing is acknowledged after it
//! or tried again, the server ends and says why, the next start checks the database and says so, and all fits.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use super::machine::{Call, EIO, Machine, On};
use crate::{
    harness::{Chance, DEADLINE, Dial, Got, seeds},
    process::{self, Process},
    town::Town,
};

/// A life of the server each, in which the disk fails once: `BELLWIRE_TEST_MACHINE_SEED` names others.
const SEEDS: Range<u64> = 0..4;
/// So many calls do what they should after everybody has begun, at most.
const AFTER_MAX: usize = 120;
/// What the server says then, and at the next start.
const FAILED: &str = "the database failed: nothing more can be acknowledged";
const CHECKED: &str =
    "the disk failed when the database was last in use: all of it was checked, and is sound";
/// The size of an attribute and so many states with it that the write-ahead log is full: 32 MiB.
const PAD_LEN: usize = 15_000;
const STATES_MAX: usize = 2_000;

/// The write-ahead log.
fn log_of(data: &Path) -> PathBuf {
    data.join("bellwire.db-wal")
}

/// It ended as it must when a call on this file has failed.
#[track_caller]
fn ended(machine: &Machine, server: &Process, status: ExitStatus) {
    let log = server.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert_eq!(machine.failed(), 1, "{log}");
    assert_eq!(log.matches(FAILED).count(), 1, "{log}");
    let later = [Call::Write, Call::Sync, Call::Truncate].map(|call| machine.made_later(call));
    assert_eq!(later, [0; 3], "writes, syncs, cuts that came after it: {log}");
    machine.mend();
}

#[test]
fn the_nth_call_fails_while_all_services_are_used() {
    let (folder, machine) = (tempfile::tempdir().expect("a directory can be made"), Machine::new());
    let data = folder.path();
    let mut server = machine.serve(data);
    let mut town = Town::found(data, server.address());
    for seed in seeds("BELLWIRE_TEST_MACHINE_SEED", SEEDS) {
        let call = if seed % 2 == 0 { Call::Sync } else { Call::Write };
        let after = Chance(seed).below(AFTER_MAX) as i64;
        eprintln!("BELLWIRE_TEST_MACHINE_SEED={seed}: {call:?} fails after {after}");
        town.works(server.address(), |progress| {
            progress.acknowledged(1);
            machine.fail(call, On::File(&log_of(data)), after, 1, EIO);
            let status = server.wait(DEADLINE);
            ended(&machine, &server, status);
        });
        server = machine.serve(data);
        server.says(CHECKED);
    }
    town.settles(server.address());
    server.stop();
    // It is told once.
    let server = machine.serve(data);
    assert!(!server.log().contains(CHECKED), "{}", server.log());
    server.stop();
}

/// What is copied into the database is not known to be there: while the server works, and as it ends.
#[test]
fn the_disk_fails_at_a_checkpoint() {
    let (folder, machine) = (tempfile::tempdir().expect("a directory can be made"), Machine::new());
    let data = folder.path();
    let database = data.join("bellwire.db");
    let token = process::token(data, "admin", 3_600);
    let mut server = machine.serve(data);
    let mut town = Town::found(data, server.address());
    machine.fail(Call::Sync, On::File(&database), 0, 1, EIO);
    town.works(server.address(), |progress| {
        progress.acknowledged(1);
        fill(&server, &token);
        let status = server.wait(DEADLINE);
        ended(&machine, &server, status);
    });
    server = machine.serve(data);
    server.says(CHECKED);
    town.works(server.address(), |progress| progress.acknowledged(1));
    machine.fail(Call::Write, On::File(&database), 0, 1, EIO);
    server.ask_to_stop();
    let status = server.wait(DEADLINE);
    assert_eq!(status.code(), Some(1), "{}", server.log());
    assert_eq!(machine.failed(), 1);
    // Whether it was still at work or closing the database already.
    let log = server.log();
    assert!(log.contains("bellwire: ") || log.contains(FAILED), "{log}");
    machine.mend();
    let server = machine.serve(data);
    server.says(CHECKED);
    town.settles(server.address());
    server.stop();
}

/// Writes until the server ends.
fn fill(server: &Process, token: &str) {
    let mut client = Dial::new(server.address(), "/api/ws").bearer(token).open();
    client.hears_of_nothing();
    let pad = "x".repeat(PAD_LEN);
    for n in 0..STATES_MAX {
        client.send(&format!(
            r#"{{"type":"states:create","entity_id":"a.pad","state":"{n}","attributes":{{"a":"{pad}"}}}}"#
        ));
        match client.next() {
            Got::Text(told) => assert!(told.contains(r#""success":true"#), "{}", &told[..100]),
            Got::End => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("{STATES_MAX} states did not fill the log: {}", server.log());
}
