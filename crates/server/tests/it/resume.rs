//! Coming back: cursors, replays and resets. Nothing is lost and nothing is told twice, whoever
//! went away in between, the client or the server.

use std::thread;

use serde_json::json;

use crate::harness::{Client, Server, Token, text};

fn create(entity_id: &str, state: impl std::fmt::Display) -> String {
    format!(r#"{{"type":"states:create","entity_id":"{entity_id}","state":"{state}"}}"#)
}

/// Splits an event with a cursor into what a connection without one is told, and the cursor.
#[track_caller]
fn split(event: &str) -> (String, String) {
    let (before, cursor) = event.split_once(r#","cursor":""#).expect("an event has a cursor");
    let cursor = cursor.strip_suffix(r#""}"#).expect("the cursor stands last");
    assert!(
        cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
        "{cursor} needs no escape"
    );
    (format!("{before}}}"), cursor.to_owned())
}

fn heard(entity_id: &str, state: impl std::fmt::Display) -> String {
    format!(
        r#"{{"type":"state_changed","data":{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{{}}}}}}}}"#
    )
}

fn come_back(server: &Server, token: &Token, since: &str) -> Client {
    server.dial(&format!("/api/ws?since={since}")).bearer(&token.text).open()
}

/// The cursor of a `resumed` frame, which must have these bytes otherwise.
#[track_caller]
fn resumed(client: &mut Client, replayed: usize) -> String {
    let frame = client.text();
    let cursor = frame.split('"').nth(7).unwrap_or_default().to_owned();
    let expected = format!(r#"{{"type":"resumed","cursor":"{cursor}","replayed":{replayed}}}"#);
    assert_eq!(frame, expected);
    cursor
}

/// The cursor of a `reset` frame.
#[track_caller]
fn reset(client: &mut Client, reason: &str) -> String {
    let frame = client.text();
    let cursor = frame.split('"').nth(11).unwrap_or_default().to_owned();
    assert_eq!(frame, format!(r#"{{"type":"reset","reason":"{reason}","cursor":"{cursor}"}}"#));
    cursor
}

#[test]
fn a_cursor_is_good_for_what_comes_after_it() {
    let server = Server::start();
    let token = server.token("user", &[]);
    let mut writer = server.quiet_admin();
    let mut reader = come_back(&server, &token, "now");
    let start = resumed(&mut reader, 0);
    let mut cursors = vec![start.clone()];
    for state in 1..=5 {
        writer.ask(&create("light.a", state));
        let (event, cursor) = split(&reader.text());
        assert_eq!(event, heard("light.a", state));
        assert!(!cursors.contains(&cursor), "{cursor} came before");
        cursors.push(cursor);
    }
    for (known, cursor) in cursors.iter().enumerate() {
        let mut reader = come_back(&server, &token, cursor);
        // It is where it was: cut off now, it would miss nothing.
        assert_eq!(resumed(&mut reader, 5 - known), *cursor);
        for (state, cursor) in (known + 1..).zip(&cursors[known + 1..]) {
            assert_eq!(split(&reader.text()), (heard("light.a", state), cursor.clone()));
        }
        assert_eq!(reader.told(), [""; 0]);
    }
    // Who asked for none gets none.
    let mut plain = server.connect(&token);
    assert_eq!(plain.told(), [""; 0]);
    writer.ask(&create("light.a", 6));
    plain.hears(&heard("light.a", 6));
}

/// A reader that is cut off again and again beside a writer that does not wait for it, and a server
/// that is killed in between.
#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    const EACH: usize = 300;
    let mut server = Server::start();
    let token = server.token("user", &["states:read:light.*"]);
    let mut reader = come_back(&server, &token, "now");
    let mut cursor = resumed(&mut reader, 0);
    let mut seen = Vec::new();
    for round in 0..3 {
        let mut writer = server.quiet_admin();
        let writing = thread::spawn(move || {
            for n in 0..EACH {
                // A stranger's row between any two, which the reader must not notice.
                writer.send_bytes(&text(&create("lock.x", n)));
                writer.send_bytes(&text(&create("light.a", round * EACH + n)));
            }
            (0..2 * EACH).for_each(|_| drop(writer.text()));
        });
        // The last third is left for after the restart.
        while seen.len() < (round + 1) * EACH - EACH / 3 {
            for _ in 0..1 + seen.len() % 7 {
                let (event, at) = split(&reader.text());
                seen.push(event);
                cursor = at;
            }
            reader = come_back(&server, &token, &cursor);
            assert!(reader.text().starts_with(r#"{"type":"resumed","cursor":""#));
        }
        writing.join().expect("the writer writes");
        server = server.kill_and_restart();
        reader = come_back(&server, &token, &cursor);
        let missed = (round + 1) * EACH - seen.len();
        resumed(&mut reader, missed);
        for _ in 0..missed {
            let (event, at) = split(&reader.text());
            seen.push(event);
            cursor = at;
        }
        assert_eq!(reader.told(), [""; 0]);
    }
    let expected: Vec<String> = (0..3 * EACH).map(|n| heard("light.a", n)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_place_that_is_of_no_use_is_a_reset() {
    let server = Server::start();
    let token = server.token("user", &[]);
    let mut writer = server.quiet_admin();
    let head = resumed(&mut come_back(&server, &token, "now"), 0);
    let (epoch, offset) = head.split_once('.').expect("an epoch and an offset");
    let offset: u64 = offset.parse().expect("a number");
    let long = "9".repeat(90);
    let rows = [
        (format!("{epoch}.{}", offset + 1), "future"),
        (format!("{epoch}.{}", u64::MAX), "future"),
        (format!("0123456789abcdef.{offset}"), "epoch"),
        (format!("{}.{offset}", epoch.to_uppercase() + "0"), "epoch"),
        (format!("{epoch}.18446744073709551616"), "invalid"),
        (format!("{epoch}.-1"), "invalid"),
        (format!("{epoch}.+1"), "invalid"),
        (format!("{epoch}.01"), "invalid"),
        (format!("{epoch}.1.0"), "invalid"),
        (format!("{epoch}."), "invalid"),
        (format!(".{offset}"), "invalid"),
        (epoch.to_owned(), "invalid"),
        (format!("{epoch}.{long}"), "invalid"),
        (format!("{long}.1"), "invalid"),
        ("x".repeat(7_000), "invalid"),
        (String::new(), "invalid"),
        ("Now".into(), "invalid"),
        ("%00".into(), "invalid"),
        ("null".into(), "invalid"),
    ];
    for (state, (since, reason)) in rows.iter().enumerate() {
        let mut reader = come_back(&server, &token, since);
        let from = reset(&mut reader, reason);
        writer.ask(&create("light.a", state));
        let (event, cursor) = split(&reader.text());
        assert_eq!(event, heard("light.a", state), "{since}");
        // Where the reset says, the stream goes on.
        let mut again = come_back(&server, &token, &from);
        assert_eq!(resumed(&mut again, 1), from);
        assert_eq!(split(&again.text()), (event, cursor));
    }
    let resets = server.get("/metrics").body;
    assert!(resets.contains(r#"bellwire_resets_total{reason="future"} 2"#), "{resets}");
}

#[test]
fn what_is_not_kept_or_too_much_is_a_reset() {
    let server = Server::start();
    let token = server.token("user", &["states:read:light.*"]);
    let mut writer = server.quiet_admin();
    let start = resumed(&mut come_back(&server, &token, "now"), 0);
    (0..5).for_each(|state| drop(writer.ask(&create("light.a", state))));
    let middle = resumed(&mut come_back(&server, &token, "now"), 0);
    (5..9).for_each(|state| drop(writer.ask(&create("light.a", state))));

    // As if ten minutes and ten thousand events had passed, and the log had been pruned.
    let first: i64 = middle.split_once('.').and_then(|(_, at)| at.parse().ok()).expect("a place");
    let data = server.data().join("bellwire.db");
    let server = server.restart_after(|| {
        let database = rusqlite::Connection::open(data).expect("a database");
        let gone = database.execute("DELETE FROM log WHERE log_offset <= ?1", [first]);
        assert_eq!(gone, Ok(first as usize));
    });
    let mut writer = server.quiet_admin();
    let mut reader = come_back(&server, &token, &start);
    reset(&mut reader, "expired");
    writer.ask(&create("light.a", "then"));
    assert_eq!(split(&reader.text()).0, heard("light.a", "then"));
    let mut reader = come_back(&server, &token, &middle);
    resumed(&mut reader, 5);
    assert_eq!(split(&reader.text()).0, heard("light.a", 5));

    // More than a replay may hold. What others wrote meanwhile does not count.
    let attributes = format!(r#""attributes":{{"a":"{}"}}"#, "x".repeat(16_000));
    let large =
        |entity_id: &str| create(entity_id, "big").replace('}', &format!(",{attributes}}}"));
    let before = resumed(&mut come_back(&server, &token, "now"), 0);
    writer.send_bytes(&text(&large("lock.a")).repeat(300));
    (0..300).for_each(|_| assert!(writer.text().contains(r#""success":true"#)));
    resumed(&mut come_back(&server, &token, &before), 0);
    writer.send_bytes(&text(&large("light.a")).repeat(300));
    (0..300).for_each(|_| assert!(writer.text().contains(r#""success":true"#)));
    // As long as it is in memory, it is shared with others and told whole.
    resumed(&mut come_back(&server, &token, &before), 300);
    for _ in 0..21 {
        writer.send_bytes(&text(&create("lock.a", 1)).repeat(500));
        (0..500).for_each(|_| assert!(writer.text().contains(r#""success":true"#)));
    }
    let mut reader = come_back(&server, &token, &before);
    reset(&mut reader, "limited");
    writer.ask(&create("light.a", "after"));
    assert_eq!(split(&reader.text()).0, heard("light.a", "after"));
}

/// Rights are those of now, and those of when it happened, by whatever scope.
#[test]
fn rights_are_checked_again() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    // Scopes when it leaves and when it comes back, with rows before and after the change; what it
    // is told then. The rows are light.a and lock.b, each before and after.
    let all = ["light.a 1", "lock.b 1", "light.a 2", "lock.b 2"];
    let rows: &[(&[&str], &[&str], &[&str])] = &[
        (&["states:read"], &["states:read"], &all),
        (&["states:read"], &["states:read:light.*"], &["light.a 1", "light.a 2"]),
        (&["states:read:light.*"], &["states:read"], &["light.a 1", "light.a 2", "lock.b 2"]),
        (&["states:read:light.*"], &["states:write:light.a"], &["light.a 1", "light.a 2"]),
        (&["states:read:lock.b"], &["states:read:lock.*"], &["lock.b 1", "lock.b 2"]),
        (&["states:read:light.a"], &["states:read:light.b"], &[]),
        (&["states:read:light.*"], &["states:read:lock.*"], &["lock.b 2"]),
        (
            &["states:read:light.*"],
            &["states:read:light.*", "states:read:lock.*"],
            &["light.a 1", "light.a 2", "lock.b 2"],
        ),
        (
            &["states:read:light.*", "states:read:lock.*"],
            &["states:read:lock.*"],
            &["lock.b 1", "lock.b 2"],
        ),
        (&["states:read"], &["states:fly"], &[]),
    ];
    for (turn, (before, after, expected)) in rows.iter().enumerate() {
        let token = server.token("user", before);
        let cursor = resumed(&mut come_back(&server, &token, "now"), 0);
        for half in ["1", "2"] {
            if half == "2" {
                let change = json!({ "id": token.id, "scopes": after });
                server.operate("tokens.change", change).expect("the token lives");
            }
            for entity_id in ["light.a", "lock.b"] {
                writer.ask(&create(entity_id, format!("{turn} {half}")));
            }
        }
        let mut reader = come_back(&server, &token, &cursor);
        resumed(&mut reader, expected.len());
        let told: Vec<String> = reader.told().iter().map(|event| split(event).0).collect();
        let of_row = |row: &&str| {
            let (entity_id, half) = row.split_once(' ').expect("two words");
            heard(entity_id, format!("{turn} {half}"))
        };
        assert_eq!(told, expected.iter().map(of_row).collect::<Vec<_>>(), "{before:?} {after:?}");
    }
}

/// A token's rights begin with it: what was before is not for it, whoever's cursor it shows.
#[test]
fn a_token_is_told_nothing_from_before_it() {
    let rows: &[(&str, &[&str])] = &[
        ("admin", &[]),
        ("user", &[]),
        ("user", &["stations:staff"]),
        ("user", &["states:read:light.*"]),
        ("user", &["states:write"]),
        ("device", &["states:write:light.a", "states:read:lock.*"]),
        ("client", &["states:read:light.a"]),
    ];
    let mut server = Server::start();
    let tokens = |server: &Server| -> Vec<Token> {
        rows.iter().map(|(role, scopes)| server.token(role, scopes)).collect()
    };
    let mut writer = server.quiet_admin();
    let oldest = tokens(&server);
    let cursor = resumed(&mut come_back(&server, &oldest[0], "now"), 0);
    let mut generations = vec![oldest];
    for state in 1..=2 {
        writer.ask(&create("light.a", state));
        generations.push(tokens(&server));
    }
    writer.ask(&create("light.a", 3));
    // The same in the next life.
    for _ in 0..2 {
        for (born, tokens) in generations.iter().enumerate() {
            for (token, row) in tokens.iter().zip(rows) {
                let mut reader = come_back(&server, token, &cursor);
                resumed(&mut reader, 3 - born);
                let told: Vec<String> = reader.told().iter().map(|event| split(event).0).collect();
                let expected: Vec<String> =
                    (born + 1..=3).map(|state| heard("light.a", state)).collect();
                assert_eq!(told, expected, "{row:?}, made after {born}");
            }
        }
        server = server.kill_and_restart();
    }
}
