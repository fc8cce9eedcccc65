//! Boards that send and never read: they lose what they do not take, not their connection; who has a place does not
//! stay.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::house::{House, STREAMS, told};
use crate::harness::{Canary, Client, DEADLINE, Got, Server, text, until};

/// How long somebody who has no lossy stream may take nothing, and a bit.
const STALLED: Duration = Duration::from_secs(11);
/// What each round brings: by each board, and by the others together.
const BY_BOARD: i64 = 200;
const BY_OTHERS: i64 = 500;

/// A house whose frames are about 1 KiB each, so that some thousands fill every buffer on the way.
fn wordy() -> House {
    let house = House::of(Server::with(&[("SENSORS__RATE_MAX", "1000000")])).wakes();
    let long = |chars: usize| "\u{1F321}".repeat(chars);
    for device in 1..=2 {
        let change = json!({ "name": long(128) });
        house.ask("PATCH", &format!("/api/devices/{device}")).json(&change).expect(200);
    }
    for sensor in 1..=3 {
        let change = json!({ "sensor_type": long(64), "unit": long(32) });
        house.ask("PATCH", &format!("/api/sensors/{sensor}")).json(&change).expect(200);
    }
    house
}

/// The sensor and the value of an update.
#[track_caller]
fn reading(frame: &str) -> (i64, i64) {
    assert!(frame.starts_with(r#"{"type":"sensor_data_update","#), "{frame:.200}");
    let number = |key: &str| {
        let (_, rest) = frame.split_once(&format!(r#""{key}":"#)).expect("it has it");
        rest.split(',').next().and_then(|number| number.parse().ok()).expect("a whole number")
    };
    (number("sensor_id"), number("value"))
}

/// How many readings of a sensor are kept.
fn kept(house: &House, sensor: i64) -> i64 {
    let path = format!("/api/sensors/{sensor}/readings?every=366d&agg=max");
    let page = house.ask("GET", &path).expect(200);
    page["items"]
        .as_array()
        .expect("a page has items")
        .iter()
        .map(|bucket| bucket["count"].as_i64().expect("a count"))
        .sum()
}

/// How many commands took too long, and were undone: it happens where a machine under test is busy.
fn undone(server: &Server) -> i64 {
    server.log().matches("a command failed").count() as i64
}

/// What a reader heard: values of each sensor, which count up.
#[derive(Default)]
struct Heard {
    last: [i64; 4],
    count: [i64; 4],
}

impl Heard {
    fn take(&mut self, frame: &str) {
        let (sensor, value) = reading(frame);
        let last = &mut self.last[sensor as usize];
        assert!(value > *last, "sensor {sensor}: {value} after {last}");
        *last = value;
        self.count[sensor as usize] += 1;
    }

    fn all(&self) -> i64 {
        self.count.iter().sum()
    }
}

/// A board that does not read, and what it sends.
struct Deaf {
    sensor: i64,
    client: Client,
    sent: i64,
}

impl Deaf {
    fn new(house: &House, sensor: i64) -> Deaf {
        let board = house.board(super::house::device_of(sensor));
        let dial = house.server.dial(STREAMS[0]).bearer(&board).receive_buffer(4 << 10);
        let mut client = dial.open();
        assert_eq!(told(&mut client), [""; 0]);
        Deaf { sensor, client, sent: 0 }
    }

    fn sends(&mut self) {
        let Deaf { sensor, sent, .. } = self;
        let samples = (*sent + 1..=*sent + BY_BOARD).flat_map(|value| {
            text(&format!(r#"{{"type":"sensor_data","sensor_id":{sensor},"value":{value}}}"#))
        });
        self.client.send_bytes(&samples.collect::<Vec<u8>>());
        self.sent += BY_BOARD;
    }

    /// Sends the last of all, until it is kept. Its time is such that it is known when it is sent again.
    fn sends_last(&mut self, house: &House) {
        self.sent += 1;
        let value = self.sent as f64;
        let time = jiff::Timestamp::now() + Duration::from_secs(60);
        let last = super::house::sample(self.sensor, value, &time.to_string(), "");
        until("its last reading is kept", || {
            self.client.send(&last);
            house.newest(self.sensor) == Some(value)
        });
    }
}

#[test]
fn a_board_that_never_reads_stays_and_is_heard() {
    let house = wordy();
    let server = &house.server;
    let mut canary = Canary::new(server);
    let mut boards = [Deaf::new(&house, 1), Deaf::new(&house, 3)];
    let mut healthy = house.follows(STREAMS[0]);
    let mut heard = Heard::default();
    let (mut by_others, mut most) = (0, 0.0_f64);
    let started = Instant::now();
    while started.elapsed() < STALLED || heard.all() < 15_000 {
        boards.iter_mut().for_each(Deaf::sends);
        let others: Vec<(i64, f64)> =
            (by_others + 1..=by_others + BY_OTHERS).map(|n| (2, n as f64)).collect();
        house.post_all(&others);
        by_others += BY_OTHERS;
        let sent = by_others + boards.iter().map(|board| board.sent).sum::<i64>();
        while heard.all() + undone(server) < sent {
            heard.take(&healthy.text());
        }
        canary.sings();
        most = most.max(server.metric("bellwire_outbound_queued_bytes"));
    }
    boards.iter_mut().for_each(|board| board.sends_last(&house));
    while boards.iter().any(|board| heard.last[board.sensor as usize] < board.sent) {
        heard.take(&healthy.text());
    }
    // The newest of each sensor waits, and no more.
    assert!((1e3..1e5).contains(&most), "{most} bytes waited for two boards");
    assert_eq!(server.metric("bellwire_slow_readers_total"), 0.0);
    let undone = undone(server);
    for (sensor, sent) in [(1, boards[0].sent), (2, by_others), (3, boards[1].sent)] {
        let kept = kept(&house, sensor);
        assert_eq!(kept, heard.count[sensor as usize], "sensor {sensor}: what is kept is heard");
        assert!((sent - undone..=sent).contains(&kept), "sensor {sensor}: {kept} of {sent}");
    }
    // In the end they read: what is there is newer and newer, with the newest last.
    for board in &mut boards {
        let mut late = Heard::default();
        let mut frames = told(&mut board.client);
        // The last was sent until it was kept: then it was known, and its sender is told so.
        frames.dedup();
        for frame in frames {
            if frame.starts_with(r#"{"type":"sensor_data_update","#) {
                late.take(&frame);
            }
        }
        assert_eq!(late.last, heard.last);
        assert!(late.all() < heard.all(), "nothing was dropped");
    }
    canary.sings();
}

/// Who has a place would miss something: it is closed, and the boards beside it are not.
#[test]
fn a_reader_with_a_place_that_does_not_read_is_closed() {
    let house = wordy();
    let server = &house.server;
    let board = house.board(1);
    let mut board = server.dial(STREAMS[3]).bearer(&board).receive_buffer(4 << 10).open();
    let path = format!("{}?since=now", STREAMS[1]);
    let mut keeper = house.dial(&path).receive_buffer(4 << 10).open();
    assert!(keeper.text().starts_with(r#"{"type":"resumed","#));
    let until = Instant::now() + 2 * DEADLINE;
    let mut sent = 0;
    while server.metric("bellwire_slow_readers_total") < 1.0 {
        assert!(Instant::now() < until, "{sent} readings were not enough");
        house.post_all(&(sent + 1..=sent + BY_OTHERS).map(|n| (1, n as f64)).collect::<Vec<_>>());
        sent += BY_OTHERS;
    }
    let mut heard = Heard::default();
    loop {
        match keeper.next() {
            Got::Text(frame) => heard.take(&frame),
            Got::Close(Some((code, _))) => {
                assert_eq!(code, 4408);
                break;
            }
            Got::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(heard.all() < sent, "it missed nothing");
    assert_eq!(heard.last[1], heard.all(), "a gap came before the end");
    board.send(r#"{"type":"sensor_data","sensor_id":1,"value":-1}"#);
    is_heard(&house, &mut board);
    assert_eq!(server.metric("bellwire_slow_readers_total"), 1.0);
}

fn is_heard(house: &House, board: &mut Client) {
    until("what it sent is kept", || house.newest(1) == Some(-1.0));
    let last = told(board).pop().expect("it hears its own");
    assert_eq!(reading(&last), (1, -1));
}

/// What one board sends too much of is refused, each by its own measure, and the connection stays.
#[test]
fn a_board_that_sends_too_much_is_told_so() {
    let house = House::of(Server::with(&[("SENSORS__RATE_MAX", "10")])).wakes();
    let [eager, other] = [1, 2].map(|device| house.board(device));
    let open = |token: &str, stream| house.server.dial(stream).bearer(token).open();
    let mut eager = open(&eager, STREAMS[1]);
    let mut other = open(&other, STREAMS[2]);
    let ten: Vec<Value> = (0..20).map(|n| json!({ "sensor_id": 1, "value": n })).collect();
    let batch = |readings: &[Value]| {
        json!({ "type": "sensor_data_batch", "readings": readings }).to_string()
    };
    assert!(eager.ask(&batch(&ten)).contains(r#""stored":20,"#));
    (0..20).for_each(|_| assert!(reading(&eager.text()).0 == 1));
    let refused: Value = serde_json::from_str(&eager.ask(&batch(&ten))).expect("frames are JSON");
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("RATE_LIMITED")));
    other.send(r#"{"type":"sensor_data","sensor_id":3,"value":1}"#);
    assert_eq!(reading(&other.text()), (3, 1));
    // In a while there is room again.
    until("it may send again", || {
        eager.send(r#"{"type":"sensor_data","sensor_id":1,"value":77}"#);
        eager.text().contains(r#""value":77,"#)
    });
}
