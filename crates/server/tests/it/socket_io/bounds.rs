//! How much, and how often: refusals, tries of credentials, calls at once, and those who do not read.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{heard, timeless};
use crate::{
    harness::{Canary, DEADLINE, Got, Over, Server, Session, UNKNOWN, until},
    limits::flood,
};

const INVALID: &str = "token invalid, expired or revoked";

#[test]
fn who_is_only_ever_refused_is_answered_less_then_closed() {
    let good = r#"427["states:get",{"entity_id":"canary.bird"}]"#;
    let granted = r#"437[{"success":true,"#;
    let rows = [
        (r#"421["states:get"]"#, r#"431[{"success":false,"error":"missing field `entity_id`"}]"#),
        (
            r#"421["x"]"#,
            r#"431[{"error":"Unknown event \"x\"","code":"UNKNOWN_TYPE","timestamp":"T"}]"#,
        ),
        (
            r#"421["states:get",1,2]"#,
            r#"431[{"success":false,"error":"an event has one argument"}]"#,
        ),
        ("40/none,", r#"44/none,{"message":"Invalid namespace"}"#),
        (
            r#"40/states,{"token":7}"#,
            r#"44/states,{"message":"auth.token: invalid type: integer `7`, expected a string"}"#,
        ),
    ];
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    for (bad, refused) in rows {
        for over in Over::BOTH {
            let mut session = server.socket_io().open(over);
            session.enter("/", &json!({ "token": token.text, "topics": ["entity/light.none"] }));
            session.says(good);
            let started = Instant::now();
            session.send_all(&[bad; 119]);
            (0..119).for_each(|_| assert_eq!(timeless(&session.packet()), refused));
            session.send_all(&[bad; 82]);
            session.send_all(&[bad; 999]);
            let mut answers = 119;
            // One that is answered as ever shows where the answers end.
            session.send(good);
            loop {
                match session.packet() {
                    packet if timeless(&packet) == refused => answers += 1,
                    packet if packet.starts_with(granted) => break,
                    packet => panic!("{packet}"),
                }
            }
            let seconds = started.elapsed().as_secs() as usize + 1;
            assert!((120..=120 + seconds).contains(&answers), "{bad}: {answers} in {seconds} s");
            session.send(bad);
            let last = session.closed(1008);
            assert!(last.iter().all(|packet| timeless(packet) == refused), "{last:?}");
        }
        canary.sings();
    }
}

#[test]
fn bad_credentials_are_tried_ten_times_a_minute() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    let shows = [
        (json!({ "token": "bad" }), INVALID),
        (json!({ "token": "" }), INVALID),
        (json!({}), "authentication required"),
    ];
    for (from, over) in (10..).zip(Over::BOTH) {
        let began = Instant::now();
        let house = server.socket_io().from(from);
        let mut first = house.open(over);
        let mut second = house.open(Over::Polling);
        for n in 0..10 {
            let session = if n % 3 == 0 { &mut second } else { &mut first };
            let (auth, words) = &shows[n % 3];
            session.is_refused("/", auth, words);
            // What is no try of a credential does not count.
            session.is_refused("/none", auth, "Invalid namespace");
        }
        assert!(began.elapsed() < Duration::from_secs(6), "one more is allowed by now");
        let limited = server.metric("bellwire_connections_rate_limited_total");
        for mut session in [first, second] {
            session.send(r#"40{"token":"bad"}"#);
            assert_eq!(session.closed(4429), [""; 0], "{over:?}");
        }
        let metric = server.metric("bellwire_connections_rate_limited_total");
        assert_eq!(metric, limited + 2.0);
        // A good one is let in, also at the same address, and so are others elsewhere.
        house.open(over).enter_as("/", &token.text);
        let elsewhere = server.socket_io().from(from + 100);
        elsewhere.open(over).is_refused("/", &json!({}), "authentication required");
    }
    canary.sings();
}

/// Who begins sessions and shows nothing is one of many at most.
#[test]
fn a_household_has_so_many_sessions_that_are_nowhere() {
    const MOST: usize = 1_024;
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    let house = server.socket_io().from(9);
    let began = Instant::now();
    let mut sessions: Vec<Session> = (0..MOST).map(|_| house.open(Over::Polling)).collect();
    assert!(began.elapsed() < Duration::from_secs(10), "the first of them are over by now");
    assert_eq!(house.ask("GET", None).send().status, 429);
    assert_eq!(house.dial(None).response().status, 429);
    server.socket_io().from(10).open(Over::Polling).enter_as("/", &token.text);
    // Whoever is let in, or goes, makes room.
    let mut one = sessions.pop().expect("there are many");
    one.enter_as("/", &token.text);
    sessions.push(house.open(Over::Polling));
    assert_eq!(house.ask("GET", None).send().status, 429);
    sessions.pop().expect("there are many").send("1");
    until("there is room again", || house.ask("GET", None).send().status == 200);
    canary.sings();
}

#[test]
fn many_calls_at_once_are_answered_in_order() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    server.quiet_admin().ask(&super::create("a.b", "on"));
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        session.enter("/states", &json!({ "token": token.text, "topics": [] }));
        // More than may be under way, and longer than may wait; some wait for those before, some do not.
        for (count, pad) in [(63, 0), (64, 0), (65, 0), (1_000, 0), (12, 60_000)] {
            let pad = "x".repeat(pad);
            let packet = |n: usize| match n % 3 {
                1 => format!(
                    r#"42/states,{n}["states:create",{{"entity_id":"c.d","state":"{n}","x":"{pad}"}}]"#
                ),
                _ => format!(r#"42/states,{n}["states:get",{{"entity_id":"a.b","x":"{pad}"}}]"#),
            };
            session.send_all(&(0..count).map(packet).collect::<Vec<_>>());
            for n in 0..count {
                let told = session.packet();
                let beginning = format!(r#"43/states,{n}[{{"success":true,"#);
                let state = if n % 3 == 1 { n.to_string() } else { "on".to_owned() };
                let is_it = told.contains(&format!(r#""state":"{state}""#));
                assert!(told.starts_with(&beginning) && is_it, "{over:?}: {n} of {count}: {told}");
            }
        }
        canary.sings();
    }
}

/// A session whose reader takes little: it listens, and may come back if that is asked for.
fn listens(server: &Server, over: Over, token: &str, recover: bool) -> Session {
    let mut session = server.socket_io().receive_buffer(4 << 10).open(over);
    session.enter("/states", &json!({ "token": token, "recover": recover }));
    session
}

/// The state in a packet about `light.a`.
fn state(packet: &str) -> usize {
    assert!(packet.starts_with(r#"42/states,["state_changed","#), "{packet:.200}");
    let state = packet.split(r#""state":""#).nth(1).and_then(|rest| rest.split('"').next());
    state.and_then(|state| state.parse().ok()).unwrap_or_else(|| panic!("{packet:.200}"))
}

#[test]
fn who_does_not_read_is_cut_or_skips() {
    let server = Server::start();
    let token = server.token("user", &["states:read:light.*"]);
    let mut canary = Canary::new(&server);
    let [mut keeper, polling_keeper] =
        Over::BOTH.map(|over| listens(&server, over, &token.text, true));
    let mut skippers = Over::BOTH.map(|over| listens(&server, over, &token.text, false));
    let mut healthy = listens(&server, Over::Polling, &token.text, true);
    let started = Instant::now();
    let mut read = 0;
    let written = flood(&mut server.quiet_admin(), 0, |written| {
        while read < written {
            assert_eq!(state(&healthy.packet()), read);
            read += 1;
        }
        canary.sings();
        server.metric("bellwire_slow_readers_total") >= 2.0
    });
    assert!(started.elapsed() < Duration::from_secs(9), "they were cut for their silence");
    polling_keeper.is_over();
    // A keeper was told everything up to its end.
    let mut kept = 0;
    loop {
        match keeper.client().next() {
            Got::Text(packet) => assert_eq!(state(&packet), kept),
            Got::Close(Some((4408, _))) | Got::End => break,
            other => panic!("{other:?}"),
        }
        kept += 1;
    }
    assert!(kept < written);
    for skipper in &mut skippers {
        let skipped: Vec<usize> = skipper.told("/states").iter().map(|p| state(p)).collect();
        assert!(skipped.is_sorted_by(|a, b| a < b), "{skipped:?}");
        assert_eq!(skipped.last(), Some(&(written - 1)));
        assert!(skipped.len() < written, "nothing was skipped");
    }
    canary.sings();
}

/// Answers wait in the same queue as events, and have the same bound.
#[test]
fn who_asks_and_never_polls_is_cut() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    flood(&mut server.quiet_admin(), 0, |written| written > 0);
    let mut session = server.socket_io().open(Over::Polling);
    session.enter("/states", &json!({ "token": token.text, "topics": [] }));
    let gets = [r#"42/states,1["states:get",{"entity_id":"light.a"}]"#; 20].join("\u{1e}");
    let began = Instant::now();
    while server.metric("bellwire_slow_readers_total") < 1.0 {
        assert!(began.elapsed() < DEADLINE, "answers wait for somebody who does not poll");
        let response = session.post(gets.as_bytes());
        assert!(response.body == "ok" || response.body == UNKNOWN, "{response:?}");
        assert!(server.metric("bellwire_outbound_queued_bytes") < 2e6);
        canary.sings();
    }
    session.is_over();
    canary.sings();
}

#[test]
fn topics_have_their_bounds() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut writer = server.quiet_admin();
    let topics =
        |count: usize| (0..count).map(|n| format!("entity/light.e{n}")).collect::<Vec<_>>();
    let unknown = |name: &str| format!("topics: unknown topic {name:?}");
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        for (topics, words) in [
            (json!(topics(1_001)), "topics: at most 1000".to_owned()),
            (json!(["nothing"]), unknown("nothing")),
            (json!([""]), unknown("")),
            (json!(["states", "entity/"]), unknown("entity/")),
            (json!(["entity/light"]), unknown("entity/light")),
            (json!(["entity/*"]), unknown("entity/*")),
            (json!(["States"]), unknown("States")),
            (
                json!("states"),
                "auth.topics: invalid type: string \"states\", expected a sequence".to_owned(),
            ),
            (json!([1]), "auth.topics[0]: invalid type: integer `1`, expected a string".to_owned()),
        ] {
            session.is_refused("/", &json!({ "token": token.text, "topics": topics }), &words);
        }
        session.enter("/", &json!({ "token": token.text, "topics": topics(999) }));
        for (topics, words) in [
            (r#"["nothing"]"#, r#"topics: unknown topic \"nothing\""#),
            (r#""states""#, r#"topics: invalid type: string \"states\", expected a sequence"#),
        ] {
            let said = session.says(&format!(r#"421["subscribe",{{"topics":{topics}}}]"#));
            assert_eq!(said, format!(r#"431[{{"success":false,"error":"{words}"}}]"#));
        }
        let one = session.says(r#"421["subscribe",{"topics":["entity/light.e999"]}]"#);
        let all = json!({ "success": true, "topics": topics(1_000) });
        assert_eq!(one, format!("431[{all}]"));
        // One that is there is not counted twice, one more is too many; nothing changes then.
        let same =
            session.says(r#"421["subscribe",{"topics":["entity/light.e7","entity/light.e7"]}]"#);
        assert_eq!(same, one);
        let more = session.says(r#"421["subscribe",{"topics":["entity/light.f"]}]"#);
        assert_eq!(more, r#"431[{"success":false,"error":"topics: at most 1000"}]"#);
        for entity in ["e0", "e999", "e1000", "f"] {
            writer.ask(&super::create(&format!("light.{entity}"), 1));
        }
        let expected = ["light.e0", "light.e999"].map(|id| heard("/", id, 1));
        assert_eq!(session.told("/"), expected, "{over:?}");
    }
}
