//! A wall clock that jumps, by hours and by years, forward and backward, under a server that works and between two
//! starts (promise 12): order stays, nobody misses anything or hears it twice, nothing that ended begins again, what is
//! due happens once and not early after a step back, and what is young by the true time stays.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::{due::Due, machine::Machine};
use crate::{
    harness::{Ask, Client, Dial, until},
    process::{self, ANY_PORT, Process, operate},
    town::Town,
    traffic::{self, Create, Reader},
};

const HOUR: i64 = 3_600;
/// Ten years but a day: the longest token lives ten years.
const YEARS: i64 = (10 * 365 - 1) * 86_400;
/// How long a clock that was put forward must have stood before tokens end by it for good.
const ENDED_S: i64 = 600;
const TOKEN_S: i64 = 10 * 365 * 86_400;
/// What the log says of steps.
const FORWARD: &str = "the clock was put forward: what ends at a time ends by it";
const BACKWARD: &str = "the clock was set back: time goes at half its pace";
const BEHIND: &str =
    "the clock is behind the newest change: was it set back? Order is not affected";

/// Somebody who hears nothing but answers, and must not be cut off; and the times that their writes bear.
struct Face {
    client: Client,
    times: Vec<String>,
}

impl Face {
    fn new(server: &Process, token: &str) -> Face {
        let mut client = Dial::new(server.address(), "/api/ws").bearer(token).open();
        client.hears_of_nothing();
        Face { client, times: Vec::new() }
    }

    /// Writes; the time of it is none before those of all earlier ones.
    #[track_caller]
    fn shows(&mut self) {
        let state = self.times.len();
        let told = self.client.ask(&format!(
            r#"{{"type":"states:create","entity_id":"clock.face","state":"{state}"}}"#
        ));
        let told: Value = serde_json::from_str(&told).expect("it is JSON");
        let time = told["data"]["last_updated"].as_str().unwrap_or_else(|| panic!("{told}"));
        assert!(
            self.times.last().is_none_or(|last| last.as_str() <= time),
            "{:?}, {time}",
            self.times
        );
        self.times.push(time.to_owned());
    }
}

#[test]
fn steps_of_an_hour_while_all_services_are_used() {
    let (folder, machine) = (tempfile::tempdir().expect("a directory can be made"), Machine::new());
    let mut server = machine.serve(folder.path());
    let mut town = Town::found(folder.path(), server.address());
    let admin = town.admin().to_owned();
    let mut face = Face::new(&server, &admin);
    town.works(server.address(), |progress| {
        for ahead in [HOUR, 0, -HOUR, HOUR, -HOUR] {
            progress.acknowledged(1);
            machine.set_ahead(ahead);
            face.shows();
            progress.acknowledged(2);
            face.shows();
        }
    });
    // Between two starts, killed and not.
    for ahead in [HOUR, -HOUR, 0] {
        server.kill();
        machine.set_ahead(ahead);
        server = machine.serve(folder.path());
        assert_eq!(server.log().contains(BEHIND), ahead < 0, "{ahead}: {}", server.log());
        town.works(server.address(), |progress| progress.acknowledged(2));
    }
    town.settles(server.address());
    server.stop();
}

#[test]
fn steps_of_years_close_nobody_and_lose_nothing() {
    let (folder, machine) = (tempfile::tempdir().expect("a directory can be made"), Machine::new());
    let token = process::token(folder.path(), "admin", TOKEN_S);
    let mut server = machine.serve(folder.path());
    let mut face = Face::new(&server, &token);
    let mut reader = Reader::default();
    assert!(reader.read(server.address(), &token, 0));
    face.shows();
    // Housekeeping tells of a step within five seconds.
    for (ahead, words) in [(YEARS, FORWARD), (0, BACKWARD), (-YEARS, ""), (YEARS, ""), (HOUR, "")] {
        machine.set_ahead(ahead);
        face.shows();
        server.says(words);
        face.shows();
    }
    let told = face.times.len();
    assert!(reader.read(server.address(), &token, told));
    machine.set_ahead(0);
    server.kill();
    server = machine.serve(folder.path());
    assert!(server.log().contains(BEHIND), "{}", server.log());
    // Order goes by offsets: a cursor from the future is none.
    let mut client = traffic::open(server.address(), &token, "").expect("the server is there");
    traffic::answered(&mut client, vec![Create::new("after", 1)]);
    assert!(reader.read(server.address(), &token, 1));
    let states: Vec<String> = reader.told.iter().map(|(_, state)| state.clone()).collect();
    let written = (0..told).map(|state| state.to_string()).chain(["after 1".to_owned()]);
    assert_eq!(states, written.collect::<Vec<_>>());
    server.stop();
}

/// What was good and is not any more: texts of tokens, tickets, and a pairing's two codes.
struct Ended {
    tokens: Vec<String>,
    tickets: Vec<String>,
    pairing: [String; 2],
}

impl Ended {
    /// All are good but the token that was revoked and the ticket that was used. They end within an hour.
    fn soon(server: &Process, data: &Path, keeper: &str) -> Ended {
        let ask = |method: &str, path: &str| Ask::new(server.address(), method, path);
        let text = |value: &Value, key: &str| value[key].as_str().expect("a text").to_owned();
        let password = "correct horse";
        operate("users.create", json!({ "username": "ann", "password": password }), data);
        let body = json!({ "username": "ann", "password": password });
        let session = text(&ask("POST", "/api/auth/login").json(&body).expect(200), "token");
        let short = process::token(data, "user", 60);
        for token in [&session, &short] {
            ask("GET", "/api/auth/verify").bearer(token).expect(200);
        }
        let revoked = operate("tokens.create", json!({ "role": "admin", "ttl": TOKEN_S }), data);
        operate("tokens.revoke", json!({ "id": revoked["id"] }), data);
        let tickets = [(); 2]
            .map(|()| text(&ask("POST", "/api/auth/ticket").bearer(keeper).expect(201), "ticket"));
        let mut used = ticket(server, &tickets[0], 2).open();
        used.send(r#"{"type":"ping"}"#);
        used.hears(r#"{"type":"pong"}"#);
        let begun = ask("POST", "/api/pairing").json(&json!({ "name": "Hall" })).expect(201);
        Ended {
            tokens: vec![session, short, text(&revoked, "token")],
            tickets: tickets.into(),
            pairing: ["userCode", "deviceCode"].map(|key| text(&begun, key)),
        }
    }

    #[track_caller]
    fn is_refused(&self, server: &Process, keeper: &str) {
        let ask = |method: &str, path: &str| Ask::new(server.address(), method, path);
        for (from, token) in (10..).zip(&self.tokens) {
            let verify = ask("GET", "/api/auth/verify").from(from).bearer(token);
            verify.refused(401, "UNAUTHENTICATED");
        }
        for (from, text) in (20..).zip(&self.tickets) {
            ticket(server, text, from).open().refused("ticket invalid, expired or used", 4401);
        }
        let [user_code, device_code] = &self.pairing;
        let path = format!("/api/pairing/{user_code}/approve");
        ask("POST", &path).bearer(keeper).json(&json!({})).refused(404, "NOT_FOUND");
        let fetch = ask("POST", "/api/pairing/token").json(&json!({ "deviceCode": device_code }));
        fetch.refused(400, "EXPIRED_TOKEN");
        ask("GET", "/api/auth/verify").bearer(keeper).expect(200);
    }
}

fn ticket(server: &Process, text: &str, from: u8) -> Dial {
    Dial::new(server.address(), &format!("/api/ws?ticket={text}")).from(from)
}

/// Waits until housekeeping has noted what ended, as it does every few seconds.
fn noted(data: &Path, now: i64) {
    let database = Connection::open_with_flags(
        data.join("bellwire.db"),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    );
    let database = database.expect("it can be read beside the server");
    let left = "SELECT (SELECT count(*) FROM tokens WHERE revoked_at IS NULL AND expires_at <= ?1)
                + (SELECT count(*) FROM pairings WHERE decided_at IS NULL AND expires_at <= ?1)";
    until("what ended is noted", || database.query_row(left, [now], |row| row.get(0)) == Ok(0));
}

#[test]
fn what_ended_does_not_begin_again() {
    let (folder, machine) = (tempfile::tempdir().expect("a directory can be made"), Machine::new());
    let data = folder.path();
    let serve = || {
        let mut program = machine.program();
        program.env("BELLWIRE_LOGIN__SESSION", "30m");
        Process::serve_by(program, data, ANY_PORT, &[])
    };
    let keeper = process::token(data, "admin", TOKEN_S);
    let mut server = serve();
    let ended = Ended::soon(&server, data, &keeper);
    machine.set_ahead(HOUR);
    ended.is_refused(&server, &keeper);
    Face::new(&server, &keeper).shows();
    machine.passes(ENDED_S);
    noted(data, machine.now());
    for ahead in [0, -HOUR, -YEARS] {
        machine.set_ahead(ahead);
        ended.is_refused(&server, &keeper);
    }
    for ahead in [0, -YEARS] {
        server.kill();
        machine.set_ahead(ahead);
        server = serve();
        assert!(server.log().contains(BEHIND), "{}", server.log());
        ended.is_refused(&server, &keeper);
        // Others are as good as ever.
        let short = process::token(data, "user", 60);
        Ask::new(server.address(), "GET", "/api/auth/verify").bearer(&short).expect(200);
        let made =
            Ask::new(server.address(), "POST", "/api/auth/ticket").bearer(&short).expect(201);
        let text = made["ticket"].as_str().expect("it has a text");
        let mut let_in = ticket(&server, text, 30).open();
        let_in.send(r#"{"type":"ping"}"#);
        let_in.hears(r#"{"type":"pong"}"#);
        ticket(&server, text, 31).open().refused("ticket invalid, expired or used", 4401);
    }
    // The longest token ends, too, and for good.
    machine.set_ahead(YEARS + 2 * 86_400);
    Ask::new(server.address(), "GET", "/api/auth/verify")
        .bearer(&keeper)
        .refused(401, "UNAUTHENTICATED");
    machine.passes(ENDED_S);
    noted(data, machine.now());
    server.kill();
    machine.set_ahead(0);
    server = serve();
    Ask::new(server.address(), "GET", "/api/auth/verify")
        .bearer(&keeper)
        .refused(401, "UNAUTHENTICATED");
    let another = process::token(data, "admin", 60);
    ended.is_refused(&server, &another);
    server.stop();
}

/// A machine starts with a clock that is years ahead, and is told the time a minute later: nobody has to give all that is
/// in a house new tokens.
#[test]
fn a_clock_that_is_wrong_for_a_minute_ends_no_token_for_good() {
    let (folder, machine) = (tempfile::tempdir().expect("a directory can be made"), Machine::new());
    let data = folder.path();
    let verify = |server: &Process, token: &str| {
        Ask::new(server.address(), "GET", "/api/auth/verify").bearer(token).send().status
    };
    let board = process::token(data, "admin", 365 * 86_400);
    let short = process::token(data, "user", HOUR / 2);
    let mut server = machine.serve(data);
    assert_eq!([&board, &short].map(|token| verify(&server, token)), [200, 200]);
    Face::new(&server, &board).shows();
    server.kill();
    machine.set_ahead(YEARS);
    server = machine.serve(data);
    assert_eq!([&board, &short].map(|token| verify(&server, token)), [401, 401]);
    machine.passes(60);
    machine.set_ahead(0);
    // The next line comes with the next run of housekeeping: one is over by then.
    server.says(BACKWARD);
    assert_eq!(verify(&server, &board), 401, "in one process time does not go back");
    server.kill();
    server = machine.serve(data);
    assert_eq!([&board, &short].map(|token| verify(&server, token)), [200, 200]);
    server.stop();
}

#[test]
fn what_is_due_happens_once_and_not_early() {
    let machine = Machine::new();
    let mut due = Due::new(&machine, 1_800, 1_800);
    due.begins();
    for ahead in [-HOUR, 1_000, -HOUR, 0] {
        machine.set_ahead(ahead);
        due.is_under_way(0);
    }
    machine.set_ahead(HOUR);
    due.is_told(1);
    for ahead in [-HOUR, HOUR, 2 * HOUR] {
        machine.set_ahead(ahead);
        due.is_told(1);
    }
    // Over a start with a clock that was set back, and years ahead of it.
    due.begins();
    due.restart(&machine, || machine.set_ahead(-HOUR));
    assert!(due.server.log().contains(BEHIND), "{}", due.server.log());
    due.is_under_way(1);
    due.restart(&machine, || machine.set_ahead(YEARS));
    due.is_told(2);
    due.restart(&machine, || machine.set_ahead(0));
    due.is_told(2);
}

/// What is there of the past: each of it would go by a clock that is ten years ahead.
fn past(due: &Due) -> Vec<usize> {
    let len = |path: &str| due.get(path)["items"].as_array().expect("a list").len();
    ["/api/states/a.past/history", "/api/sensors/1/readings", "/api/bookings"].map(len).into()
}

/// A clock that is years ahead for a while takes nothing away that is young, whether it jumps while the server works, or
/// is wrong at a start, or both.
#[test]
fn what_is_young_stays_though_the_clock_was_years_ahead() {
    let machine = Machine::new();
    let mut due = Due::new(&machine, 1_800, 1_800);
    due.begins();
    let cancel = Ask::new(due.server.address(), "DELETE", "/api/bookings/1").bearer(&due.admin);
    cancel.expect(204);
    for state in ["one", "two"] {
        let write = Ask::new(due.server.address(), "POST", "/api/states/a.past").bearer(&due.admin);
        let shown = write.json(&json!({ "state": state })).send();
        assert!([200, 201].contains(&shown.status), "{shown:?}");
    }
    let before = past(&due);
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    let line = |due: &Due, words: &str| due.server.says(words);
    machine.set_ahead(YEARS);
    line(&due, FORWARD);
    due.post("/api/readings", json!({ "sensor_id": 1, "value": 2 }));
    // The next line comes with the next run of housekeeping: the one before is over by then.
    machine.set_ahead(0);
    line(&due, BACKWARD);
    let written =
        before.iter().zip([0, 1, 0]).map(|(count, more)| count + more).collect::<Vec<_>>();
    assert_eq!(past(&due), written);
    due.restart(&machine, || machine.set_ahead(YEARS));
    machine.set_ahead(YEARS + HOUR);
    line(&due, FORWARD);
    due.restart(&machine, || machine.set_ahead(0));
    assert_eq!(past(&due), written);
}

/// The same at a start that finds only changes in the log which were made by the clock that is ahead.
#[test]
fn what_is_young_stays_though_the_log_has_forgotten_that_the_clock_was_set() {
    let machine = Machine::new();
    let mut due = Due::new(&machine, 1_800, 1_800);
    due.begins();
    Ask::new(due.server.address(), "DELETE", "/api/bookings/1").bearer(&due.admin).expect(204);
    let write = |due: &Due, state: &str, status: u16| {
        let write = Ask::new(due.server.address(), "POST", "/api/states/a.past").bearer(&due.admin);
        write.json(&json!({ "state": state })).expect(status);
    };
    write(&due, "one", 201);
    write(&due, "two", 200);
    machine.set_ahead(YEARS);
    due.server.says(FORWARD);
    write(&due, "three", 200);
    // One run is over, and the next begins.
    machine.set_ahead(YEARS - 60);
    due.server.says(BACKWARD);
    let before = past(&due);
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    due.forgets(1);
    due.restart(&machine, || {});
    machine.set_ahead(YEARS + HOUR);
    due.server.says(FORWARD);
    due.restart(&machine, || machine.set_ahead(0));
    assert_eq!(past(&due), before);
}
