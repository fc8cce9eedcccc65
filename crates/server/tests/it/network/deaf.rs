//! A thousand readers that never read, of all kinds at once: what they cost the server, and what others notice.
//!
//! What a frame tells is encoded once for all readers of a shape, so what waits for many is in memory once.

use std::{
    io::Read as _,
    sync::{atomic::AtomicBool, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::crowd::{By, Crowd, Kind, says_until};
use crate::{
    areas::patiently,
    harness::{Bell, Canary, Client, DEADLINE, Server, Token, raise_descriptors, text},
};

/// Descriptors that the server may have, and the test.
const DESCRIPTORS: u32 = 4_096;
/// Connections that read, or do not.
const THOUSAND: usize = 1_000;
/// Connections that read whatever the others do.
const HEALTHY: usize = 4;
/// Events that are measured in a phase of a round.
const MEASURED: usize = 25;
/// Every so manieth of them is large.
const LARGE_EVERY: usize = 5;
const ROUNDS: usize = 3;
/// How often more is written until those are cut that must be. The server says how many it cut, not whom: on a slow machine
/// some of them are others, for whom something waited too long.
const PASSES: usize = 3;
/// How often it is measured anew if others had the machine.
const TRIES: usize = 3;
/// What is so fast is not compared: on two cores that others use, it is as often the scheduler as the server.
const FLOOR: Duration = Duration::from_millis(50);
/// What waits for each reader of states with a place when it is measured who hears what beside them, in bytes.
const NEARLY: usize = 800 << 10;
/// What all may take: an eighth of a MiB for each, of the MiB that may wait, as what many wait for is there once; and the
/// newest rows, which the server keeps in any case: 64 MiB by its own count, for three shapes, and here are six.
const GROWN_MAX: usize = (128 << 20) + 2 * (64 << 20);

/// A server with something to tell on every stream, and who may hear all of it.
struct House {
    server: Server,
    admin: String,
    /// User 1, who is an admin; then users 2 and 3.
    boss: Token,
    user: Token,
    other: Token,
}

impl House {
    fn new() -> House {
        let server = Server::with_descriptors(DESCRIPTORS);
        let admin = server.token("admin", &[]).text;
        let [user, other] = ["jane", "john"].map(|name| {
            let id = server.user(name, "user", &[]);
            server.token_of("user", &id, &[])
        });
        let boss = server.token_of("admin", "1", &[]);
        let house = House { server, admin, boss, user, other };
        let wide = |chars: usize| "\u{1F321}".repeat(chars);
        house.make("/api/devices", json!({ "name": wide(128) }));
        let sensor = json!({ "device_id": 1, "sensor_type": wide(64), "unit": wide(32) });
        house.make("/api/sensors", sensor);
        house.make("/api/stations", json!({ "name": "Downtown Station" }));
        house
    }

    fn make(&self, path: &str, body: Value) {
        let made = patiently(&self.server.ask("POST", path).bearer(&self.admin).json(&body));
        assert!(matches!(made.status, 200 | 201), "{path}: {made:?}");
    }

    /// A thousand connections.
    fn kinds(&self) -> Vec<Kind> {
        let ping = r#"{"type":"ping"}"#;
        let (pong, resumed) = (r#"{"type":"pong""#, r#"{"type":"resumed","#);
        let plain = |name, count, path: &str, keeps: bool| Kind {
            name,
            count,
            cut_by: keeps.then_some(if path == "/api/ws" { By::States } else { By::Others }),
            path: format!("{path}{}", if keeps { "?since=now" } else { "" }),
            token: self.user.text.clone(),
            says: ping.to_owned(),
            told: if keeps { resumed } else { pong },
        };
        let socket_io = |name, count, transport, keeps: bool| Kind {
            name,
            count,
            cut_by: keeps.then_some(By::States),
            path: format!("/socket.io/?EIO=4&transport={transport}"),
            token: self.user.text.clone(),
            says: format!("40/states,{}", json!({ "token": self.user.text, "recover": keeps })),
            told: "40/states,{",
        };
        let chat = plain("chat with a cursor", 20, "/ws/chat/", true);
        let chat = Kind { path: format!("{}&rooms=me", chat.path), ..chat };
        // What stations tell is too short for anybody to be cut.
        let stations = plain("stations with a cursor", 30, "/ws/stations/", true);
        vec![
            plain("states with a cursor", 300, "/api/ws", true),
            plain("states", 200, "/api/ws", false),
            socket_io("Socket.IO that recovers", 100, "websocket", true),
            socket_io("Socket.IO", 150, "websocket", false),
            socket_io("polling that recovers", 25, "polling", true),
            socket_io("polling", 25, "polling", false),
            plain("sensors with a cursor", 30, "/ws/sensor-data/", true),
            plain("sensors", 30, "/ws/sensor-data/", false),
            Kind { cut_by: None, ..stations },
            plain("stations", 30, "/ws/stations/", false),
            plain("notifications with a cursor", 30, "/ws/notifications/", true),
            plain("notifications", 30, "/ws/notifications/", false),
            chat,
        ]
    }

    /// The same call so often, of somebody who hears nothing of it but the answers.
    fn calls(&self, path: &str, token: &Token, call: &str, times: usize, mut fields: Value) {
        const TOGETHER: usize = 10;
        let mut client = self.server.dial(path).bearer(&token.text).open();
        fields["type"] = call.into();
        fields["id"] = 1.into();
        let message = text(&fields.to_string());
        for _ in 0..times / TOGETHER {
            client.send_bytes(&message.repeat(TOGETHER));
            let mut answers = 0;
            while answers < TOGETHER {
                let told = client.text();
                assert!(!told.contains(r#""type":"error""#), "{told}");
                answers += usize::from(told.ends_with(r#""id":1}"#));
            }
        }
    }

    fn metric(&self, name: &str) -> usize {
        self.server.metric(name) as usize
    }

    /// More than 1 MiB on each stream but those of states and stations, and something on those of stations.
    fn tells(&self) {
        const READINGS: usize = 1_300;
        const TOGETHER: usize = 100;
        for n in 0..READINGS / TOGETHER {
            let values = n * TOGETHER..(n + 1) * TOGETHER;
            let readings = values.map(|value| json!({ "sensor_id": 1, "value": value }));
            self.make("/api/readings", Value::Array(readings.collect()));
        }
        let words = "\u{1F321}".repeat(1_000);
        let notice = json!({ "to": "2", "title": "a", "message": words, "level": "info" });
        self.calls("/ws/notifications/", &self.boss, "notifications.send", 350, notice);
        let said = json!({ "data": { "message": "x".repeat(4_000), "roomID": "2:3" } });
        self.calls("/ws/chat/", &self.other, "message", 170, said);
        for status in ["offline", "online"] {
            let ask = self.server.ask("PATCH", "/api/stations/1").bearer(&self.admin);
            ask.json(&json!({ "status": status })).expect(200);
        }
    }
}

/// Connections that read, and tell when they heard of which measured event.
struct Healthy {
    heard: mpsc::Receiver<(usize, Instant)>,
    measured: usize,
}

impl Healthy {
    fn new(house: &House) -> Healthy {
        let (tell, heard) = mpsc::channel();
        for query in ["?since=now", ""].into_iter().cycle().take(HEALTHY) {
            let dial = house.server.dial(&format!("/api/ws{query}")).bearer(&house.user.text);
            let mut stream = dial.tcp();
            let ping = text(r#"{"type":"ping"}"#);
            let both = [dial.request().as_bytes(), &ping].concat();
            says_until(&mut stream, &both, r#"{"type":"pong""#);
            let tell = tell.clone();
            // It ends with the connection, which the server's end is.
            thread::spawn(move || {
                let (mut told, mut buffer) = (String::new(), vec![0; 64 << 10]);
                while let Ok(len) = stream.read(&mut buffer)
                    && len > 0
                {
                    told += &String::from_utf8_lossy(&buffer[..len]);
                    let number = told.rsplit_once(r#""state":"m"#).and_then(|(_, rest)| {
                        rest.split_once('"').and_then(|(number, _)| number.parse().ok())
                    });
                    if let Some(number) = number {
                        let _ = tell.send((number, Instant::now()));
                        told.clear();
                    }
                    // It may have come in part.
                    told.drain(..told.floor_char_boundary(told.len().saturating_sub(32)));
                }
            });
        }
        Healthy { heard, measured: 0 }
    }

    /// Writes so many events, one when all have heard the one before, and gives the p99 of how long it took each of
    /// them to hear of each.
    #[track_caller]
    fn p99(&mut self, writer: &mut Client, count: usize) -> Duration {
        let mut took = Vec::new();
        for _ in 0..count {
            self.measured += 1;
            let number = self.measured;
            let pad = if number.is_multiple_of(LARGE_EVERY) { 15_000 } else { 10 };
            let pad = "x".repeat(pad);
            let event = format!(
                r#"{{"type":"states:create","entity_id":"light.m","state":"m{number}","attributes":{{"pad":"{pad}"}}}}"#
            );
            let mut sent = Instant::now();
            while !is_written(&writer.ask(&event)) {
                sent = Instant::now();
            }
            for _ in 0..HEALTHY {
                let heard = self.heard.recv_timeout(DEADLINE);
                let (heard, at) = heard.unwrap_or_else(|_| panic!("not all heard {number}"));
                assert_eq!(heard, number);
                took.push(at - sent);
            }
        }
        took.sort_unstable();
        took[(took.len() - 1) * 99 / 100]
    }
}

/// The p99 of each round, while all read and while none does.
#[derive(Debug)]
struct Compared {
    reading: Vec<Duration>,
    deaf: Vec<Duration>,
}

impl Compared {
    fn is_good(&self) -> bool {
        let [reading, deaf] = [&self.reading, &self.deaf].map(|all| median(all));
        deaf <= FLOOR || deaf <= 2 * reading
    }
}

fn median(of: &[Duration]) -> Duration {
    let mut of = of.to_vec();
    of.sort_unstable();
    of[of.len() / 2]
}

/// Whether a write was done; the machine may be too busy for it.
#[track_caller]
fn is_written(answer: &str) -> bool {
    let is_late = answer.contains("It took too long") || answer.contains("overloaded");
    assert!(is_late || answer.contains(r#""success":true"#), "{answer}");
    !is_late
}

/// Writes large rows until it is enough.
#[track_caller]
fn floods(writer: &mut Client, mut enough: impl FnMut() -> bool) {
    const AT_ONCE: usize = 8;
    let (until, pad) = (Instant::now() + DEADLINE, "x".repeat(16_000));
    let row = text(&format!(
        r#"{{"type":"states:create","entity_id":"light.a","state":"on","attributes":{{"pad":"{pad}"}}}}"#
    ));
    while !enough() {
        assert!(Instant::now() < until, "nobody is cut");
        writer.send_bytes(&row.repeat(AT_ONCE));
        for _ in 0..AT_ONCE {
            is_written(&writer.text());
        }
    }
}

/// A round: all read, then none does until those with a place were cut. Gives the p99 of both.
#[track_caller]
fn round(house: &House, crowd: &mut Crowd, healthy: &mut Healthy, number: usize) -> [Duration; 2] {
    let mut writer = house.server.quiet_admin();
    let done = AtomicBool::new(false);
    let reading = thread::scope(|scope| {
        scope.spawn(|| crowd.read(&done));
        let _bell = Bell(&done);
        healthy.p99(&mut writer, MEASURED)
    });
    let before = house.server.resident_bytes();
    let cut_before = house.metric("bellwire_slow_readers_total");
    let (mut grown, mut queued) = (0, 0);
    let mut look = |house: &House| {
        grown = grown.max(house.server.resident_bytes().saturating_sub(before));
        queued = queued.max(house.metric("bellwire_outbound_queued_bytes"));
        house.metric("bellwire_slow_readers_total") - cut_before
    };
    let mut by = vec![By::States];
    if number == 0 {
        house.tells();
        by.push(By::Others);
    }
    // Nearly as much as may wait: then it is measured while they are cut.
    let (told, near) = (look(house), NEARLY * crowd.len(By::States));
    floods(&mut writer, || {
        look(house) > told || house.metric("bellwire_outbound_queued_bytes") >= near
    });
    let deaf = healthy.p99(&mut writer, MEASURED);
    let cut_len: usize = by.iter().map(|by| crowd.len(*by)).sum();
    let (mut enough, mut told) = (cut_len, 0);
    let are_cut = (0..PASSES).any(|_| {
        floods(&mut writer, || look(house) >= enough);
        let (of_these, open) = crowd.was_cut(&by);
        told += of_these;
        enough = look(house) + open;
        open == 0
    });
    assert!(are_cut && told > 0, "{told} were told 4408, all are cut: {are_cut}");
    // Of who has no place only the newest waits.
    let queued_max = cut_len * ((1 << 20) + 100_000) + (THOUSAND - cut_len) * (64 << 10);
    assert!(queued <= queued_max, "{queued} bytes wait for those who do not read");
    assert!(grown < GROWN_MAX, "{} MiB for those who do not read", grown >> 20);
    [reading, deaf]
}

/// All rounds, interleaved.
fn compares(house: &House) -> Compared {
    let kinds = house.kinds();
    assert_eq!(kinds.iter().map(|kind| kind.count).sum::<usize>(), THOUSAND);
    let mut crowd = Crowd::gather(&house.server, kinds);
    let mut healthy = Healthy::new(house);
    let mut canary = Canary::new(&house.server);
    let mut compared = Compared { reading: Vec::new(), deaf: Vec::new() };
    for number in 0..ROUNDS {
        crowd.come_back(&house.server);
        let [reading, deaf] = round(house, &mut crowd, &mut healthy, number);
        compared.reading.push(reading);
        compared.deaf.push(deaf);
        canary.sings();
    }
    compared
}

#[test]
fn a_thousand_readers_that_never_read_cost_others_little() {
    raise_descriptors(DESCRIPTORS.into());
    for tried in 1.. {
        let compared = compares(&House::new());
        if compared.is_good() {
            return;
        }
        assert!(tried < TRIES, "p99 beside readers that never read: {compared:?}");
    }
}
