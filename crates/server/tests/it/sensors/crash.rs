//! Promise 1 over SIGKILL: each reading that was acknowledged is there once, and one that is sent again with its time is
//! known.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    path::Path,
    sync::mpsc,
    thread,
};

use serde_json::{Value, json};

use crate::{
    areas::patiently,
    harness::{Ask, Client, DEADLINE, Dial, Got},
    process::{self, ANY_PORT, Process},
};

const ROUNDS: usize = 6;
/// The acknowledgements after which a round ends: at least, and by how much more each round.
const ACKNOWLEDGED: (usize, usize) = (40, 60);
/// Messages that one board has under way.
const UNDER_WAY_MAX: usize = 32;
/// Readings of a batch.
const BATCH: usize = 25;

/// Readings that are sent again together: few enough for machines that are slow.
const TOGETHER: usize = 100;

/// How a board sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// One by one, without waiting for answers; every other bears a time.
    Singles,
    /// Several together, each with its time.
    Batches,
}

const BOARDS: [Manner; 3] = [Manner::Singles, Manner::Batches, Manner::Singles];

/// A reading in the ledger. Its value is like no other of its sensor.
#[derive(Debug, Clone)]
struct Entry {
    timestamp: Option<String>,
    is_acknowledged: bool,
}

/// Everything that a board ever sent, by its value: what stands outside the server.
#[derive(Debug, Default)]
struct Ledger {
    sent: BTreeMap<u64, Entry>,
}

impl Ledger {
    /// The next readings that a board is to send, as they are written.
    fn next(&mut self, manner: Manner) -> (Vec<u64>, Vec<Value>) {
        let count = if manner == Manner::Batches { BATCH } else { 1 };
        let first = self.sent.len() as u64 + 1;
        let mut readings = Vec::new();
        for value in first..first + count as u64 {
            let is_timed = manner == Manner::Batches || value % 2 == 0;
            let timestamp = is_timed.then(|| time(value));
            readings.push(reading(value, timestamp.as_deref()));
            self.sent.insert(value, Entry { timestamp, is_acknowledged: false });
        }
        ((first..first + count as u64).collect(), readings)
    }

    fn acknowledged(&self) -> impl Iterator<Item = (&u64, &Entry)> {
        self.sent.iter().filter(|(_, entry)| entry.is_acknowledged)
    }
}

/// A time of its own for each value, long ago. Boards whose readings are half stamped are late with the others.
fn time(value: u64) -> String {
    let second = 1_760_000_000 + value as i64;
    jiff::Timestamp::from_second(second).expect("a time").to_string()
}

fn reading(value: u64, timestamp: Option<&str>) -> Value {
    let mut reading = json!({ "value": value });
    if let Some(timestamp) = timestamp {
        reading["timestamp"] = timestamp.into();
    }
    reading
}

/// Sends what is next until the server's end; each acknowledgement is entered, and told.
fn sends(
    mut client: Client,
    sensor: usize,
    manner: Manner,
    ledger: &mut Ledger,
    told: &mpsc::Sender<()>,
) {
    let mut under_way = VecDeque::new();
    loop {
        while under_way.len() < UNDER_WAY_MAX {
            let (values, mut readings) = ledger.next(manner);
            let mut message = if manner == Manner::Batches {
                json!({ "type": "sensor_data_batch", "sensor_id": sensor, "readings": readings })
            } else {
                let mut message = readings.remove(0);
                message["type"] = "sensor_data".into();
                message["sensor_id"] = sensor.into();
                message
            };
            message["id"] = values[0].into();
            client.send(&message.to_string());
            under_way.push_back(values);
        }
        match client.next() {
            Got::Text(text) if text.starts_with(r#"{"type":"error""#) => {
                // What takes too long is undone: it was not acknowledged, and is none the less sent.
                assert!(text.contains(r#""code":"TIMEOUT""#), "{text}");
                under_way.pop_front().expect("an answer has a message");
            }
            Got::Text(text) if !text.contains(":response") => {}
            Got::Text(text) => {
                let reply: Value = serde_json::from_str(&text).expect("frames are JSON");
                let values = under_way.pop_front().expect("an answer has a message");
                assert_eq!(
                    (&reply["success"], &reply["id"]),
                    (&json!(true), &json!(values[0])),
                    "{reply}"
                );
                if manner == Manner::Batches {
                    assert_eq!(reply["data"]["stored"], BATCH, "{reply}");
                }
                for value in values {
                    ledger.sent.get_mut(&value).expect("it was sent").is_acknowledged = true;
                }
                // The test that listens may have heard enough.
                let _ = told.send(());
            }
            Got::Close(_) => {}
            Got::End => return,
            other => panic!("{other:?}"),
        }
    }
}

/// All readings of a sensor: values and how often each is there, with its time.
fn kept(address: SocketAddr, admin: &str, sensor: usize) -> BTreeMap<u64, Vec<String>> {
    let mut kept: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/sensors/{sensor}/readings?limit=1000{cursor}");
        let page = Ask::new(address, "GET", &path).bearer(admin).expect(200);
        for item in page["items"].as_array().expect("a page has items") {
            let value = item["value"].as_u64().expect("they are whole");
            let timestamp = item["timestamp"].as_str().expect("a time").to_owned();
            kept.entry(value).or_default().push(timestamp);
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return kept,
        }
    }
}

/// The server's readings are those of the ledger: what was acknowledged once, anything else once at most.
#[track_caller]
fn balances(address: SocketAddr, admin: &str, sensor: usize, ledger: &Ledger) {
    let kept = kept(address, admin, sensor);
    for (value, entry) in ledger.acknowledged() {
        assert!(kept.contains_key(value), "sensor {sensor}: {value} is lost, {entry:?}");
    }
    for (value, times) in &kept {
        let entry = ledger.sent.get(value).unwrap_or_else(|| panic!("nobody sent {value}"));
        assert_eq!(times.len(), 1, "sensor {sensor}: {value} at {times:?}");
        if let Some(timestamp) = &entry.timestamp {
            assert_eq!(times[0], *timestamp, "sensor {sensor}: {value}");
        }
    }
}

/// What bears a time is sent again, as if no answer had come: what was acknowledged is known, the rest is there from
/// now on.
#[track_caller]
fn sent_again(address: SocketAddr, token: &str, admin: &str, sensor: usize, ledger: &mut Ledger) {
    let there = kept(address, admin, sensor);
    let timed: Vec<(u64, String)> = ledger
        .sent
        .iter()
        .filter_map(|(value, entry)| Some((*value, entry.timestamp.clone()?)))
        .collect();
    for some in timed.chunks(TOGETHER) {
        let readings: Vec<Value> =
            some.iter().map(|(value, timestamp)| reading(*value, Some(timestamp))).collect();
        let path = format!("/api/sensors/{sensor}/readings");
        let body = json!({ "readings": readings });
        let report = patiently(&Ask::new(address, "POST", &path).bearer(token).json(&body));
        assert!(matches!(report.status, 200 | 201), "{report:?}");
        let report = report.json();
        let known = some.iter().filter(|(value, _)| there.contains_key(value)).count();
        assert_eq!(
            report,
            json!({ "stored": some.len() - known, "corrected": 0, "replayed": known, "refused": [] })
        );
        for (value, _) in some {
            ledger.sent.get_mut(value).expect("it was sent").is_acknowledged = true;
        }
    }
}

/// Devices 1 to 3 with a sensor each; gives their boards' tokens.
fn furnish(address: SocketAddr, admin: &str, data: &Path) -> Vec<String> {
    let make = |path: &str, body: Value| {
        Ask::new(address, "POST", path).bearer(admin).json(&body).expect(201)
    };
    let boards = 1..=BOARDS.len();
    boards
        .map(|number| {
            make("/api/devices", json!({ "name": format!("Board {number}") }));
            let kept = json!({ "raw_days": null, "hourly_days": null });
            let made = make(
                "/api/sensors",
                json!({ "device_id": number, "sensor_type": "x", "retention": kept }),
            );
            assert_eq!(made["id"], number);
            let wanted = json!({ "role": "device", "subject": number.to_string(), "ttl": 3_600 });
            let made = process::operate("tokens.create", wanted, data);
            made["token"].as_str().expect("a token has a text").to_owned()
        })
        .collect()
}

#[test]
fn readings_that_were_acknowledged_survive_sigkill() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let admin = process::token(data, "admin", 3_600);
    let mut ledgers: Vec<Ledger> = BOARDS.iter().map(|_| Ledger::default()).collect();
    let mut tokens = Vec::new();
    for round in 0..ROUNDS {
        let mut server = Process::serve_by(unmetered(), data, ANY_PORT, &[]);
        let address = server.address();
        if round == 0 {
            tokens = furnish(address, &admin, data);
        }
        for (number, ledger) in ledgers.iter_mut().enumerate() {
            balances(address, &admin, number + 1, ledger);
            if round % 2 == 1 {
                sent_again(address, &tokens[number], &admin, number + 1, ledger);
                balances(address, &admin, number + 1, ledger);
            }
        }
        let (tell, acknowledgements) = mpsc::channel();
        thread::scope(|scope| {
            for (number, ledger) in ledgers.iter_mut().enumerate() {
                let path = format!("/ws/device/{}/", number + 1);
                let client = Dial::new(address, &path).bearer(&tokens[number]).open();
                let tell = tell.clone();
                scope.spawn(move || sends(client, number + 1, BOARDS[number], ledger, &tell));
            }
            for _ in 0..ACKNOWLEDGED.0 + round * ACKNOWLEDGED.1 {
                acknowledgements.recv_timeout(DEADLINE).expect("boards are answered");
            }
            server.kill();
        });
    }
    let server = Process::serve_by(unmetered(), data, ANY_PORT, &[]);
    for (number, ledger) in ledgers.iter_mut().enumerate() {
        balances(server.address(), &admin, number + 1, ledger);
        sent_again(server.address(), &tokens[number], &admin, number + 1, ledger);
        balances(server.address(), &admin, number + 1, ledger);
        assert!(ledger.acknowledged().count() > ROUNDS * ACKNOWLEDGED.0 / BOARDS.len() / 2);
    }
    server.stop();
}

/// A server that lets boards send as fast as they can.
fn unmetered() -> std::process::Command {
    let mut program = process::bellwire();
    program.env("BELLWIRE_SENSORS__RATE_MAX", "1000000");
    program
}
