//! What was missed on a stream: over a break, and over the server's death.

use super::house::{House, STREAMS, device_of, split, told, update};
use crate::harness::Client;

fn minute(n: usize) -> String {
    format!("2025-09-11T{:02}:{:02}:00Z", n / 60, n % 60)
}

/// Comes back; gives the place, and what was missed.
#[track_caller]
fn comes(house: &House, stream: &str, since: &str) -> (Client, String, Vec<(String, String)>) {
    let mut client = house.dial(&format!("{stream}?since={since}")).open();
    let resumed = client.text();
    let place = resumed.split('"').nth(7).expect("a cursor").to_owned();
    let missed: Vec<_> = told(&mut client).iter().map(|frame| split(frame)).collect();
    let expected =
        format!(r#"{{"type":"resumed","cursor":"{place}","replayed":{}}}"#, missed.len());
    assert_eq!(resumed, expected, "{missed:?}");
    (client, place, missed)
}

fn frames(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(frame, _)| frame.as_str()).collect()
}

/// Readings of all sensors come while nobody listens; each stream is told its own, and no others.
#[test]
fn what_was_missed_is_told_and_nothing_of_others() {
    let mut house = House::new().wakes();
    let places = STREAMS.map(|stream| {
        let (_, place, missed) = comes(&house, stream, "now");
        assert_eq!(frames(&missed), [""; 0]);
        place
    });
    let mut posted: Vec<(i64, String)> = Vec::new();
    for n in 0..12 {
        let sensor = 1 + n as i64 % 3;
        house.post(sensor, n as f64, Some(&minute(n)));
        posted.push((sensor, update(sensor, n, &minute(n))));
    }
    // Late, corrected and known.
    house.post(1, 99.0, Some("2025-09-10T00:00:00Z"));
    posted.push((1, update(1, 99, "2025-09-10T00:00:00Z")));
    house.post(1, 98.0, Some("2025-09-10T00:00:00Z"));
    posted.push((1, update(1, 98, "2025-09-10T00:00:00Z")));
    house.post(1, 98.0, Some("2025-09-10T00:00:00Z"));
    for kills in [false, true] {
        if kills {
            house = house.killed();
        }
        for (stream, place) in STREAMS.iter().zip(&places) {
            let heard = |sensor: i64| {
                *stream == STREAMS[0]
                    || *stream == format!("/ws/device/{}/", device_of(sensor))
                    || *stream == format!("/ws/sensor/{sensor}/")
            };
            let expected: Vec<&str> = posted
                .iter()
                .filter(|(sensor, _)| heard(*sensor))
                .map(|(_, frame)| frame.as_str())
                .collect();
            let (client, _, missed) = comes(&house, stream, place);
            assert_eq!(frames(&missed), expected, "{stream}, killed: {kills}");
            drop(client);
            // From each place in between the rest.
            for (n, (_, cursor)) in missed.iter().enumerate() {
                let (_, _, rest) = comes(&house, stream, cursor);
                assert_eq!(rest, missed[n + 1..], "{stream} from {n}, killed: {kills}");
            }
        }
    }
}

/// A cursor says where in the log somebody is: it is good on another stream, and tells that stream's.
#[test]
fn a_place_is_good_on_every_stream() {
    let house = House::new().wakes();
    let (_, place, _) = comes(&house, STREAMS[5], "now");
    house.post(1, 1.0, Some(&minute(1)));
    house.post(3, 3.0, Some(&minute(1)));
    let (_, _, missed) = comes(&house, STREAMS[1], &place);
    assert_eq!(frames(&missed), [update(1, 1, &minute(1))]);
    let (_, _, missed) = comes(&house, STREAMS[0], &place);
    assert_eq!(frames(&missed), [update(1, 1, &minute(1)), update(3, 3, &minute(1))]);
}

/// Who reads with a place while boards post, goes and comes back: each reading once, in order.
#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    const EACH: usize = 240;
    let mut house = House::new().wakes();
    let (mut reader, mut place, _) = comes(&house, STREAMS[1], "now");
    let mut seen: Vec<String> = Vec::new();
    for life in 0..3 {
        let first = life * EACH;
        std::thread::scope(|threads| {
            let posting = threads.spawn(|| {
                let mut board = house.opens(STREAMS[0]);
                for n in first..first + EACH {
                    board.send(&super::house::sample(1, n, &minute(n), ""));
                    board.send(&super::house::sample(3, n, &minute(n), ""));
                }
                drop(told(&mut board));
            });
            // The last third is left for after the restart.
            while seen.len() < first + EACH * 2 / 3 {
                for _ in 0..1 + seen.len() % 7 {
                    let (frame, cursor) = split(&reader.text());
                    seen.push(frame);
                    place = cursor;
                }
                reader = house.dial(&format!("{}?since={place}", STREAMS[1])).open();
                assert!(reader.text().starts_with(r#"{"type":"resumed","#));
            }
            posting.join().expect("it posts");
        });
        drop(reader);
        house = house.killed();
        let (client, _, missed) = comes(&house, STREAMS[1], &place);
        seen.extend(missed.iter().map(|(frame, _)| frame.clone()));
        place = missed.last().map_or(place, |(_, cursor)| cursor.clone());
        reader = client;
    }
    let expected: Vec<String> = (0..3 * EACH).map(|n| update(1, n, &minute(n))).collect();
    assert_eq!(seen, expected);
}
