//! Coming back by `pid` and offset, down to the packets: nothing is lost and nothing is told twice, wherever
//! a client was cut off.

use std::{collections::BTreeSet, thread};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{REVOKED_ON_ROOT, create, heard, timeless};
use crate::harness::{Over, Server, Session, at, text};

/// What comes into a namespace to be recovered later, or now: its `pid`, and whether that is the one before.
#[track_caller]
fn comes(
    session: &mut Session,
    namespace: &str,
    token: &str,
    before: Option<(&str, Option<&str>)>,
) -> String {
    let mut auth = json!({ "token": token, "recover": true });
    if let Some((pid, offset)) = before {
        auth["pid"] = pid.into();
        offset.into_iter().for_each(|offset| auth["offset"] = offset.into());
    }
    let told = session.enter(namespace, &auth);
    let keys: Vec<&String> = told.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["sid", "pid"]);
    told["pid"].as_str().expect("a pid").to_owned()
}

/// Takes the offset, the last argument, off an event.
#[track_caller]
fn split(packet: &str) -> (String, String) {
    let (before, offset) = packet.rsplit_once(r#",""#).unwrap_or_else(|| panic!("{packet}"));
    let offset = offset.strip_suffix(r#""]"#).unwrap_or_else(|| panic!("{packet}"));
    assert!(offset.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{packet}");
    (format!("{before}]"), offset.to_owned())
}

/// Splits all of them.
fn all(packets: &[String]) -> Vec<(String, String)> {
    packets.iter().map(|packet| split(packet)).collect()
}

#[test]
fn the_offset_is_the_last_argument_of_what_asks_for_nothing() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    for (namespace, over) in
        [("/", Over::Socket), ("/states", Over::Polling), ("/states", Over::Socket)]
    {
        let token = server.token("admin", &[]);
        let at = at(namespace);
        let mut session = server.socket_io().open(over);
        comes(&mut session, namespace, &token.text, None);
        // Acknowledgements bear none.
        for call in [
            r#"["states:get",{"entity_id":"light.none"}]"#,
            r#"["nobody"]"#,
            r#"["subscribe",{"topics":["states"]}]"#,
            r#"["states:get"]"#,
        ] {
            let said = session.says(&format!("42{at}1{call}"));
            let arguments: Value = serde_json::from_str(
                said.strip_prefix(&format!("43{at}1")).expect("an acknowledgement"),
            )
            .expect("JSON");
            assert_eq!(arguments.as_array().map(Vec::len), Some(1), "{said}");
        }
        writer.ask(&create("light.a", "on"));
        let (event, offset) = split(&session.packet());
        assert_eq!(event, heard(namespace, "light.a", "on"));
        // Everything else does: what is told after an event, and before the next, bears that event's.
        for (call, name) in [
            (r#"["states:get",{"entity_id":"light.none"}]"#, "states:get:response"),
            (r#"["states:get",{"entity_id":"light.a"}]"#, "states:get:response"),
            (r#"["states:get"]"#, "states:get:response"),
            (r#"["states:get",{"id":1.5}]"#, "states:get:response"),
            (r#"["subscribe",{"topics":["entity/light.a"]}]"#, "subscribe:response"),
            (r#"["subscribe",{"topics":["nothing"]}]"#, "subscribe:response"),
            (r#"["unsubscribe",{"topics":["entity/light.a"]}]"#, "unsubscribe:response"),
            (r#"["subscribe_entities",{}]"#, "states:snapshot"),
        ] {
            let (said, told) = split(&session.says(&format!("42{at}{call}")));
            assert!(said.starts_with(&format!(r#"42{at}["{name}",{{"#)), "{said}");
            assert_eq!(told, offset, "{call}");
        }
        server.operate("tokens.revoke", json!({ "id": token.id })).expect("it lives");
        let (error, _) = split(&session.packet());
        let on_states = format!(r#"42{at}["error",{{"success":false,"error":"token revoked"}}]"#);
        let expected = if at.is_empty() { REVOKED_ON_ROOT.to_owned() } else { on_states };
        assert_eq!(timeless(&error), expected);
        session.hears(&format!("41{at}"));
    }
    // Who did not ask for it bears none.
    let token = server.token("admin", &[]);
    let mut session = server.socket_io().open(Over::Socket);
    session.enter(
        "/states",
        &json!({ "token": token.text, "recover": false, "pid": "x", "offset": "y" }),
    );
    writer.ask(&create("light.a", "off"));
    session.hears(&heard("/states", "light.a", "off"));
}

/// Own calls among the events of others, answered as events and by acknowledgements: whichever was the last
/// packet that came, the rest is told to who comes back, and no more.
#[test]
fn from_every_offset_the_rest_is_told() {
    const CALLS: usize = 12;
    let server = Server::start();
    let token = server.token("user", &[]);
    let mut writer = server.quiet_admin();
    for (namespace, over) in [("/states", Over::Socket), ("/", Over::Polling)] {
        let at = at(namespace);
        let mut session = server.socket_io().open(over);
        let pid = comes(&mut session, namespace, &token.text, None);
        session.says(&format!(r#"42{at}1["subscribe",{{"topics":["states"]}}]"#));
        let mut packets = Vec::new();
        for n in 0..CALLS {
            session.send_all(&[
                format!(r#"42{at}["states:create",{{"entity_id":"light.own","state":"{n}"}}]"#),
                format!(r#"42{at}["states:get",{{"entity_id":"light.own"}}]"#),
                format!(r#"42{at}7["states:create",{{"entity_id":"light.asked","state":"{n}"}}]"#),
                format!(r#"42{at}["states:get",{{"entity_id":"light.none"}}]"#),
            ]);
            writer.ask(&create("light.foreign", n));
            writer.ask(&create("lock.foreign", n));
        }
        packets.extend(session.told(namespace));
        let is_ack = |packet: &&String| packet.starts_with("43");
        assert_eq!(packets.iter().filter(is_ack).count(), CALLS, "{packets:?}");
        packets.retain(|packet| !packet.starts_with("43"));
        let packets = all(&packets);
        let is_event = |packet: &&(String, String)| packet.0.contains(r#"["state_changed","#);
        assert_eq!(packets.iter().filter(is_event).count(), 4 * CALLS);
        assert_eq!(packets.len(), 7 * CALLS, "{packets:?}");
        // What answers bears the place up to which events were told: no other.
        let first = packets.iter().position(|packet| is_event(&packet)).expect("there are events");
        let mut place = &packets[first].1;
        for packet in &packets[first..] {
            if is_event(&packet) {
                place = &packet.1;
            }
            assert_eq!(packet.1, *place, "{packet:?}");
        }
        for (n, (last, offset)) in packets.iter().enumerate() {
            let mut back = server.socket_io().open(over);
            let before = Some((pid.as_str(), Some(offset.as_str())));
            assert_eq!(comes(&mut back, namespace, &token.text, before), pid, "behind {last}");
            let missed: Vec<&(String, String)> = packets[n + 1..].iter().filter(is_event).collect();
            let told = all(&back.told(namespace));
            assert_eq!(told.iter().collect::<Vec<_>>(), missed, "behind {last}");
        }
        // Without an offset: everything since it began.
        let mut back = server.socket_io().open(over);
        assert_eq!(comes(&mut back, namespace, &token.text, Some((&pid, None))), pid);
        let told = all(&back.told(namespace));
        assert_eq!(told, packets.iter().filter(is_event).cloned().collect::<Vec<_>>());
    }
}

/// The same beside writers that wait for nobody, with rows in between that this client may not know of.
#[test]
fn offsets_hold_beside_others_who_write() {
    const EACH: usize = 150;
    let server = Server::start();
    let token = server.token("user", &["states:read:light.*"]);
    server.quiet_admin().ask(&create("light.known", "on"));
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        let pid = comes(&mut session, "/states", &token.text, None);
        // All are there before the first of them writes.
        let writers = ["light.a", "lock.b", "light.c"].map(|id| (id, server.quiet_admin()));
        let writers = writers.map(|(entity_id, mut writer)| {
            thread::spawn(move || {
                let rows = (0..EACH).flat_map(|n| text(&create(entity_id, n)));
                writer.send_bytes(&rows.collect::<Vec<u8>>());
                (0..EACH).for_each(|_| assert!(writer.text().contains(r#""success":true"#)));
            })
        });
        let get = r#"42/states,["states:get",{"entity_id":"light.known"}]"#;
        (0..40).for_each(|_| session.send_all(&[get; 5]));
        writers.into_iter().for_each(|writer| writer.join().expect("it wrote"));
        let packets = all(&session.told("/states"));
        let is_event = |packet: &&(String, String)| packet.0.contains(r#"["state_changed","#);
        let answers = packets.iter().filter(|packet| !is_event(packet)).count();
        assert_eq!((answers, packets.len()), (200, 200 + 2 * EACH));
        for n in (0..packets.len()).step_by(23) {
            let mut back = server.socket_io().open(over);
            let before = Some((pid.as_str(), Some(packets[n].1.as_str())));
            assert_eq!(comes(&mut back, "/states", &token.text, before), pid);
            let missed: Vec<&(String, String)> = packets[n + 1..].iter().filter(is_event).collect();
            let told = all(&back.told("/states"));
            assert_eq!(told.iter().collect::<Vec<_>>(), missed, "behind {:?}", packets[n]);
        }
    }
}

#[test]
fn two_namespaces_come_back_each_by_its_own() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let token = server.token("user", &[]);
    let other = server.token("user", &[]);
    for over in Over::BOTH {
        let mut session = server.socket_io().open(over);
        let mut pids = ["/", "/states"].map(|at| comes(&mut session, at, &token.text, None));
        session.says(r#"421["subscribe",{"topics":["entity/light.a"]}]"#);
        assert_ne!(pids[0], pids[1]);
        writer.ask(&create("light.a", "1"));
        let told = all(&session.told("/states"));
        assert_eq!(told.len(), 2, "{told:?}");
        let offset = Some(told[0].1.as_str());
        drop(session);
        writer.ask(&create("light.b", "2"));
        writer.ask(&create("light.a", "3"));
        // Crossed, they lead nowhere: that begins anew, and tells nothing.
        let mut crossed = server.socket_io().open(over);
        for (namespace, pid) in [("/states", &pids[0]), ("/", &pids[1])] {
            assert_ne!(comes(&mut crossed, namespace, &token.text, Some((pid, offset))), *pid);
        }
        assert_eq!(crossed.told("/states"), [""; 0]);
        // Nor do they for another token's bearer.
        let mut foreign = server.socket_io().open(over);
        let fresh = comes(&mut foreign, "/states", &other.text, Some((&pids[1], offset)));
        assert_ne!(fresh, pids[1]);
        assert_eq!(foreign.told("/states"), [""; 0]);
        let mut back = server.socket_io().open(over);
        for (namespace, pid) in ["/", "/states"].into_iter().zip(&mut pids) {
            assert_eq!(comes_back(&mut back, namespace, &token.text, pid, offset), *pid);
        }
        let told = all(&back.told("/states"));
        let texts: BTreeSet<String> = told.into_iter().map(|(packet, _)| packet).collect();
        let expected = [heard("/states", "light.b", 2), heard("/states", "light.a", 3)];
        for expected in expected {
            assert!(texts.contains(&expected), "{texts:?}");
        }
    }
}

/// The same as [`comes`], where what was missed may come before the next namespace is entered.
#[track_caller]
fn comes_back(
    session: &mut Session,
    namespace: &str,
    token: &str,
    pid: &str,
    offset: Option<&str>,
) -> String {
    let connect = format!("40{}", at(namespace));
    let auth = json!({ "token": token, "recover": true, "pid": pid, "offset": offset });
    session.send(&format!("{connect}{auth}"));
    loop {
        let packet = session.packet();
        if let Some(told) = packet.strip_prefix(&connect) {
            let told: Value = serde_json::from_str(told).expect("CONNECT has JSON");
            return told["pid"].as_str().expect("a pid").to_owned();
        }
    }
}

/// Nobody has a `pid` twice: who comes back while its connection still seems to live ends that one.
#[test]
fn a_claim_ends_the_connection_before() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let token = server.token("user", &[]);
    for (first_over, over) in [
        (Over::Socket, Over::Socket),
        (Over::Socket, Over::Polling),
        (Over::Polling, Over::Socket),
        (Over::Polling, Over::Polling),
    ] {
        let mut first = server.socket_io().open(first_over);
        let pid = comes(&mut first, "/states", &token.text, None);
        writer.ask(&create("light.a", "1"));
        let (event, offset) = split(&first.packet());
        assert_eq!(event, heard("/states", "light.a", 1));
        writer.ask(&create("light.a", "2"));
        let mut second = server.socket_io().open(over);
        let before = Some((pid.as_str(), Some(offset.as_str())));
        assert_eq!(comes(&mut second, "/states", &token.text, before), pid);
        let told: Vec<String> =
            all(&second.told("/states")).into_iter().map(|(packet, _)| packet).collect();
        assert_eq!(told, [heard("/states", "light.a", 2)]);
        let last = first.closed(1008);
        assert!(last.iter().all(|packet| !packet.starts_with("41")), "{last:?}");
        writer.ask(&create("light.a", "3"));
        assert_eq!(split(&second.packet()).0, heard("/states", "light.a", 3));
        // A third time, from the same place: all of it again, since the place is what counts.
        let mut third = server.socket_io().open(over);
        assert_eq!(comes(&mut third, "/states", &token.text, before), pid);
        assert_eq!(third.told("/states").len(), 2);
        second.closed(1008);
    }
}

/// Who has left the states on `/` listens to them anew when that is asked for, and by no call, after a break either.
#[test]
fn what_was_left_stays_left() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    writer.ask(&create("light.a", "0"));
    let token = server.token("user", &[]);
    let get = r#"["states:get",{"entity_id":"light.a"}]"#;
    for leave in
        [r#"["subscribe_entities",{"entity_ids":[]}]"#, r#"["unsubscribe",{"topics":["states"]}]"#]
    {
        let mut session = server.socket_io().open(Over::Socket);
        let pid = comes(&mut session, "/", &token.text, None);
        for call in [get, leave] {
            let said = session.says(&format!("420{call}"));
            assert!(said.starts_with(r#"430[{"success":true,"#), "{said}");
        }
        for _ in 0..2 {
            session = server.socket_io().open(Over::Socket);
            assert_eq!(comes(&mut session, "/", &token.text, Some((&pid, None))), pid);
            session.says(&format!("420{get}"));
            writer.ask(&create("light.a", "on"));
            assert_eq!(session.told("/"), [""; 0], "{leave}");
        }
        session.says(r#"421["subscribe",{"topics":["states"]}]"#);
        writer.ask(&create("light.a", "off"));
        assert_eq!(session.told("/").len(), 1, "{leave}");
    }
}

/// Rights that change while it is away: what could be read when it happened, and can be now, is told.
#[test]
fn what_was_missed_is_told_by_the_rights_of_now() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let rows: &[(&[&str], &[&str], &[&str])] = &[
        (&["states:read:light.*"], &["states:read"], &["light.a 1", "light.a 2", "lock.b 2"]),
        (&["states:read"], &["states:read:light.a"], &["light.a 1", "light.a 2"]),
        (&["states:read:light.*"], &["states:read:lock.*"], &["lock.b 2"]),
    ];
    for (turn, (before, after, expected)) in rows.iter().enumerate() {
        let token = server.token("user", before);
        let mut session = server.socket_io().open(Over::Socket);
        let pid = comes(&mut session, "/states", &token.text, None);
        drop(session);
        for half in ["1", "2"] {
            if half == "2" {
                let change = json!({ "id": token.id, "scopes": after });
                server.operate("tokens.change", change).expect("the token lives");
            }
            for entity_id in ["light.a", "lock.b"] {
                writer.ask(&create(entity_id, format!("{turn}{half}")));
            }
        }
        let mut session = server.socket_io().open(Over::Socket);
        assert_eq!(comes(&mut session, "/states", &token.text, Some((&pid, None))), pid);
        let told: Vec<String> =
            all(&session.told("/states")).into_iter().map(|(packet, _)| packet).collect();
        let of_row = |row: &&str| {
            let (entity_id, half) = row.split_once(' ').expect("two words");
            heard("/states", entity_id, format!("{turn}{half}"))
        };
        assert_eq!(told, expected.iter().map(of_row).collect::<Vec<_>>(), "{before:?} {after:?}");
    }
}

/// What a client gives back that nobody gave it leads to a fresh start, which is told nothing.
#[test]
fn places_that_are_none() {
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let token = server.token("user", &[]);
    let mut session = server.socket_io().open(Over::Socket);
    let pid = comes(&mut session, "/states", &token.text, None);
    writer.ask(&create("light.a", "1"));
    let (_, offset) = split(&session.packet());
    let (epoch, number) = offset.rsplit_once(['.', '-', '_']).expect("an epoch and a number");
    let separator = &offset[epoch.len()..offset.len() - number.len()];
    let other_epoch = format!("{}{separator}{number}", epoch.chars().rev().collect::<String>());
    let future = format!("{epoch}{separator}999999999");
    let rows: [(Value, Value); 14] = [
        (json!(""), json!(offset)),
        (json!("x"), json!(offset)),
        (json!(7), json!(offset)),
        (json!(null), json!(offset)),
        (json!([pid]), json!(offset)),
        (json!(pid.to_lowercase()), json!(offset)),
        (json!(format!("{pid}x")), json!(offset)),
        (json!(pid), json!("")),
        (json!(pid), json!("x")),
        (json!(pid), json!(7)),
        (json!(pid), json!(other_epoch)),
        (json!(pid), json!(future)),
        (json!(pid), json!("0")),
        (json!(pid), json!(format!("{offset}{}", "9".repeat(30)))),
    ];
    for over in Over::BOTH {
        for (given, place) in &rows {
            let mut session = server.socket_io().open(over);
            let auth =
                json!({ "token": token.text, "recover": true, "pid": given, "offset": place });
            let told = session.enter("/states", &auth);
            assert!(told["pid"].is_string() && told["pid"] != pid, "{auth}: {told}");
            assert_eq!(session.told("/states"), [""; 0], "{auth}");
        }
    }
    // The one that they were taken from still has its own.
    writer.ask(&create("light.a", "2"));
    assert_eq!(split(&session.packet()).0, heard("/states", "light.a", 2));
}

/// Whichever shard a client comes back to knows what it missed.
#[test]
fn another_shard_goes_on() {
    const TIMES: usize = 12;
    let server = Server::start();
    let mut writer = server.quiet_admin();
    let token = server.token("user", &[]);
    let mut session = server.socket_io().open(Over::Polling);
    let pid = comes(&mut session, "/states", &token.text, None);
    let (mut shards, mut place): (BTreeSet<u16>, Option<String>) = Default::default();
    for n in 0..TIMES {
        let over = Over::BOTH[n % 2];
        writer.ask(&create("light.a", n));
        let mut session = server.socket_io().open(over);
        let before = Some((pid.as_str(), place.as_deref()));
        assert_eq!(comes(&mut session, "/states", &token.text, before), pid);
        let told = all(&session.told("/states"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, heard("/states", "light.a", n));
        place = Some(told[0].1.clone());
        let first = URL_SAFE_NO_PAD.decode(&session.sid[..4]).expect("an id is base64");
        shards.insert(u16::from_be_bytes([first[0], first[1]]));
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    assert!(shards.len() >= cores.min(2), "{shards:?} on {cores} cores");
}
