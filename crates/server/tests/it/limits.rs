//! Those who read too slowly, or not at all, and those who only ever ask what is refused: what
//! becomes of them, and that nobody else notices.

use std::time::{Duration, Instant};

use crate::harness::{Canary, Client, DEADLINE, Got, Server, text};

/// A row of about 16 KiB, so that a thousand fill every buffer on the way.
fn large(entity_id: &str, state: usize) -> String {
    let pad = "x".repeat(16_000);
    format!(
        r#"{{"type":"states:create","entity_id":"{entity_id}","state":"{state}","attributes":{{"pad":"{pad}"}}}}"#
    )
}

/// The state in a `state_changed`.
fn state(event: &str) -> Option<usize> {
    assert!(event.starts_with(r#"{"type":"state_changed","#), "{event:.200}");
    event.split(r#""state":""#).nth(1)?.split('"').next()?.parse().ok()
}

/// Writes rows, a few at a time, until it is enough; says how many.
pub fn flood(writer: &mut Client, first: usize, mut enough: impl FnMut(usize) -> bool) -> usize {
    const AT_ONCE: usize = 32;
    let until = Instant::now() + 2 * DEADLINE;
    let mut next = first;
    while !enough(next) {
        assert!(Instant::now() < until, "{next} rows were not enough");
        let rows: Vec<u8> =
            (next..next + AT_ONCE).flat_map(|n| text(&large("light.a", n))).collect();
        writer.send_bytes(&rows);
        (0..AT_ONCE).for_each(|_| assert!(writer.text().contains(r#""success":true"#)));
        next += AT_ONCE;
    }
    next
}

/// Reads what is left of a connection that was cut: it ends with 4408, or without a word.
#[track_caller]
pub fn is_cut(client: &mut Client) -> Vec<usize> {
    let mut states = Vec::new();
    loop {
        match client.next() {
            Got::Text(event) => states.extend(state(&event)),
            Got::Close(Some((code, _))) => {
                assert_eq!(code, 4408);
                return states;
            }
            Got::End => return states,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_slow_reader_is_cut_or_skips_and_others_get_everything() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let mut writer = server.quiet_admin();
    let token = server.token("user", &["states:read:light.*"]);
    let slow = |query: &str| {
        let path = format!("/api/ws{query}");
        server.dial(&path).bearer(&token.text).receive_buffer(4 << 10).open()
    };
    // One has a place to keep, one only wants the newest, one reads.
    let mut keeper = slow("?since=now");
    assert!(keeper.text().starts_with(r#"{"type":"resumed","#));
    let mut skipper = slow("");
    assert_eq!(skipper.told(), [""; 0]);
    let mut healthy = server.dial("/api/ws?since=now").bearer(&token.text).open();
    assert!(healthy.text().starts_with(r#"{"type":"resumed","#));
    let started = Instant::now();
    let mut heard = Vec::new();
    let written = flood(&mut writer, 0, |written| {
        while heard.len() < written {
            heard.extend(state(&healthy.text()));
        }
        canary.sings();
        server.metric("bellwire_slow_readers_total") >= 1.0
    });
    assert!(started.elapsed() < Duration::from_secs(9), "the skipper was cut for its silence");
    assert_eq!(heard, (0..written).collect::<Vec<_>>());
    let kept = is_cut(&mut keeper);
    assert_eq!(kept, (0..kept.len()).collect::<Vec<_>>(), "a keeper misses nothing until it ends");
    assert!(kept.len() < written);
    // The skipper sees ever newer states, and the newest at the end.
    let skipped: Vec<usize> = skipper.told().iter().filter_map(|event| state(event)).collect();
    assert!(skipped.is_sorted_by(|a, b| a < b), "{skipped:?}");
    assert_eq!(skipped.last(), Some(&(written - 1)));
    assert!(skipped.len() < written, "nothing was skipped");
}

/// What they missed is in memory once, even when they come back after a restart.
#[test]
fn readers_that_come_back_after_a_restart_and_never_read_cost_little() {
    const READERS: usize = 100;
    const ROWS: usize = 256;
    let server = Server::start();
    let token = server.token("user", &["states:read:light.*"]);
    let mut writer = server.quiet_admin();
    let mut place = server.dial("/api/ws?since=now").bearer(&token.text).open();
    let resumed = place.text();
    let cursor = resumed.split('"').nth(7).expect("a cursor").to_owned();
    drop(place);
    assert_eq!(flood(&mut writer, 0, |written| written >= ROWS), ROWS);
    let server = server.kill_and_restart();
    let mut canary = Canary::new(&server);
    let dial = server.dial(&format!("/api/ws?since={cursor}")).bearer(&token.text);
    let all = resumed.replace(r#""replayed":0"#, &format!(r#""replayed":{ROWS}"#));
    // One reads all of it; with that, what is shared is there.
    let mut healthy = dial.open();
    healthy.hears(&all);
    let heard: Vec<usize> = (0..ROWS).filter_map(|_| state(&healthy.text())).collect();
    assert_eq!(heard, (0..ROWS).collect::<Vec<_>>());
    let before = server.resident_bytes();
    let small = dial.receive_buffer(4 << 10);
    let mut deaf: Vec<Client> = (0..READERS).map(|_| small.open()).collect();
    for client in &mut deaf {
        client.hears(&all);
    }
    canary.sings();
    let grown = server.resident_bytes().saturating_sub(before);
    // An eighth of a MiB each. What waits for a socket may be 1 MiB, but it is the same for all.
    assert!(grown < READERS << 17, "{} KiB for {READERS} of them", grown >> 10);
    canary.sings();
}

/// Answers wait in the same queue as events, and have the same bound.
#[test]
fn who_asks_and_never_reads_is_cut() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    flood(&mut server.quiet_admin(), 0, |written| written > 0);
    let token = server.token("admin", &[]);
    let mut asker = server.dial("/api/ws").bearer(&token.text).receive_buffer(4 << 10).open();
    asker.hears_of_nothing();
    let get = text(r#"{"type":"states:get","entity_id":"light.a"}"#);
    let until = Instant::now() + DEADLINE;
    while server.metric("bellwire_slow_readers_total") < 1.0 {
        assert!(Instant::now() < until, "16 MB of answers wait for somebody who does not read");
        asker.send_bytes(&get.repeat(20));
        assert!(server.metric("bellwire_outbound_queued_bytes") < 2e6);
        canary.sings();
    }
    loop {
        match asker.next() {
            Got::Text(answer) => assert!(answer.contains(r#""success":true"#)),
            Got::Close(Some((4408, _))) | Got::End => break,
            other => panic!("{other:?}"),
        }
    }
    canary.sings();
}

#[test]
fn who_is_only_ever_refused_is_answered_less_then_closed() {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let mut client = server.quiet_admin();
    let bad = text(r#"{"type":"states:get"}"#);
    let refused =
        r#"{"type":"states:get:response","success":false,"error":"missing field `entity_id`"}"#;
    let good = r#"{"type":"states:get","entity_id":"canary.bird"}"#;
    let started = Instant::now();
    client.send_bytes(&bad.repeat(120));
    (0..120).for_each(|_| client.hears(refused));
    // From now on one a second; what is no refusal is answered as ever.
    let mut answers = 120;
    for _ in 0..10 {
        client.send_bytes(&bad.repeat(100));
        client.send(good);
        loop {
            let answer = client.text();
            if answer != refused {
                assert!(answer.starts_with(r#"{"type":"states:get:response","success":true,"#));
                break;
            }
            answers += 1;
        }
        canary.sings();
    }
    client.send_bytes(&bad.repeat(80));
    client.send(good);
    while client.text() == refused {
        answers += 1;
    }
    let seconds = started.elapsed().as_secs() as usize + 1;
    assert!(answers <= 120 + seconds, "{answers} answers in {seconds} s");
    // That were 1,200.
    client.send_bytes(&bad);
    let (texts, code) = client.closed();
    assert_eq!(code, Some(1008), "{texts:?}");
    canary.sings();
}
