//! Readings and buckets of them, asked later: what is answered is compared with what the test knows, before readings
//! are packed, after, and with corrections of packed ones.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{House, items, pages};
use crate::{
    areas::patiently,
    harness::{Server, until},
};

/// The readings of a sensor by their times, in microseconds.
type Known = BTreeMap<i64, f64>;

/// 2025-09-11T00:00:00Z.
const START: i64 = 1_757_548_800_000_000;
const SECOND: i64 = 1_000_000;

/// A house that takes readings as fast as they come.
fn house() -> House {
    let house = House::of(Server::with(&[("SENSORS__RATE_MAX", "1000000")]));
    house.add_sensors(1);
    house
}

fn time(at: i64) -> String {
    Timestamp::from_microsecond(at).expect("it is a time").to_string()
}

fn micros(item: &Value) -> i64 {
    let time: Timestamp = item["timestamp"].as_str().expect("a text").parse().expect("a time");
    time.as_microsecond()
}

/// Posts them, and adds them to what is known.
fn post(house: &House, known: &mut Known, readings: &[(i64, f64)]) {
    for batch in readings.chunks(100) {
        let body: Vec<Value> = batch
            .iter()
            .map(|(at, value)| json!({ "value": value, "timestamp": time(*at) }))
            .collect();
        let report = patiently(&house.ask("POST", "/api/sensors/1/readings").json(&json!(body)));
        assert!(matches!(report.status, 200 | 201), "{report:?}");
        assert_eq!(report.json()["refused"], json!([]));
        known.extend(batch.iter().copied());
    }
}

/// Raw pages are complete and without doubles, for each window and length of page.
#[track_caller]
fn raw_is(house: &House, known: &Known) {
    let day = 86_400 * SECOND;
    for (from, to, limit) in [
        (i64::MIN, i64::MAX, 1_000),
        (i64::MIN, i64::MAX, 137),
        (START + 3_600 * SECOND, START + 2 * 3_600 * SECOND, 100),
        (START + 3_601 * SECOND + 1, START + 7_000 * SECOND + 1, 99),
        (START - day, START + 7 * SECOND, 1),
        (START + 30 * 60 * SECOND, START + 30 * 60 * SECOND, 10),
        (START + 9 * day, i64::MAX, 10),
        (START + 2 * SECOND, START, 10),
    ] {
        let text = |name: &str, at: i64| match at {
            i64::MIN | i64::MAX => String::new(),
            at => format!("{name}={}&", time(at)),
        };
        let window = format!("{}{}", text("from", from), text("to", to));
        let found = pages(|query| house.readings(1, &format!("?{window}{query}")), limit);
        let found: Vec<(i64, f64)> = found
            .iter()
            .map(|item| (micros(item), item["value"].as_f64().expect("a number")))
            .collect();
        let expected: Vec<(i64, f64)> = known
            .iter()
            .filter(|(at, _)| (from..to).contains(*at))
            .map(|(at, v)| (*at, *v))
            .rev()
            .collect();
        assert!(found == expected, "{window} {limit}: {} of {}", found.len(), expected.len());
    }
}

/// What an aggregate is of these values, in order of time.
fn aggregated(agg: &str, values: &[f64]) -> f64 {
    match agg {
        "min" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "max" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "last" => values[values.len() - 1],
        // The tests' values are quarters: their sums are exact.
        _ => values.iter().sum::<f64>() / values.len() as f64,
    }
}

/// Buckets of each aggregate and several widths are those that the test makes itself.
#[track_caller]
fn buckets_are(house: &House, known: &Known) {
    let whole = (START - SECOND, START + 86_400 * SECOND);
    let uneven = (START + 3_333 * SECOND + 5, START + 8_888 * SECOND + 7);
    for (every, every_s, (from, to)) in [
        ("1s", 1, uneven),
        ("7s", 7, uneven),
        ("90s", 90, whole),
        ("5m", 300, uneven),
        ("1h", 3_600, whole),
        ("150m", 9_000, whole),
        ("1d", 86_400, whole),
        ("366d", 366 * 86_400, uneven),
    ] {
        let width = every_s * SECOND;
        let mut expected: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (at, value) in known.range(from..to) {
            expected.entry(at.div_euclid(width) * width).or_default().push(*value);
        }
        for agg in ["avg", "min", "max", "last", "minmax"] {
            let query =
                format!("?every={every}&agg={agg}&limit=10000&from={}&to={}", time(from), time(to));
            let page = house.readings(1, &query);
            assert_eq!(
                (&page["next"], &page["every"]),
                (&Value::Null, &json!(format!("{every_s}s")))
            );
            assert_eq!(items(&page).len(), expected.len(), "{query}");
            for (item, (at, values)) in items(&page).iter().zip(&expected) {
                assert_eq!((micros(item), &item["count"]), (*at, &json!(values.len())), "{query}");
                let keys: &[&str] =
                    if agg == "minmax" { &["min", "max", "avg", "last"] } else { &["value"] };
                assert_eq!(
                    item.as_object().map(serde_json::Map::len),
                    Some(2 + keys.len()),
                    "{item}"
                );
                for key in keys {
                    let of = aggregated(if *key == "value" { agg } else { key }, values);
                    assert_eq!(item[*key].as_f64(), Some(of), "{query}: {item}");
                }
            }
        }
    }
}

fn count(house: &House, sql: &str) -> i64 {
    let database =
        rusqlite::Connection::open(house.server.data().join("bellwire.db")).expect("it opens");
    database.query_row(sql, [], |row| row.get(0)).unwrap_or(-1)
}

#[test]
fn readings_are_there_packed_and_corrected() {
    let house = house();
    let mut known = Known::new();
    let value = |n: i64| ((n * 7_919) % 401 - 200) as f64 / 4.0;
    let readings: Vec<(i64, f64)> =
        (0..3_000).map(|n| (START + 7 * n * SECOND, value(n))).collect();
    post(&house, &mut known, &readings);
    raw_is(&house, &known);
    buckets_are(&house, &known);
    until("readings are packed", || {
        count(&house, "SELECT sum(readings) FROM reading_blocks") >= 2_048
    });
    raw_is(&house, &known);
    buckets_are(&house, &known);
    // Packed ones are corrected, posted again, and joined by late ones.
    let late: Vec<(i64, f64)> = (0..300)
        .map(|n| match n % 3 {
            0 => (START + 7 * 9 * n * SECOND, value(n) + 0.25),
            1 => (START + 7 * 9 * n * SECOND, value(9 * n)),
            _ => (START + (7 * 9 * n + 3) * SECOND + n, value(n)),
        })
        .collect();
    post(&house, &mut known, &late);
    assert_eq!(known.len(), 3_100);
    raw_is(&house, &known);
    buckets_are(&house, &known);
    until("late ones are packed", || count(&house, "SELECT count(*) FROM readings") < 1_024);
    raw_is(&house, &known);
    buckets_are(&house, &known);
}

#[test]
fn what_is_old_is_kept_by_the_hour() {
    let house = house();
    let mut known = Known::new();
    let readings: Vec<(i64, f64)> =
        (0..600).map(|n| (START + 60 * n * SECOND, (n % 40) as f64 / 4.0)).collect();
    post(&house, &mut known, &readings);
    let kept = json!({ "retention": { "raw_days": 1 } });
    house.ask("PATCH", "/api/sensors/1").json(&kept).expect(200);
    until("readings become hours", || count(&house, "SELECT count(*) FROM readings") == 0);
    assert_eq!(house.readings(1, "")["items"], json!([]));
    for agg in ["avg", "min", "max", "last"] {
        let page = house.readings(1, &format!("?every=1h&agg={agg}"));
        assert_eq!(items(&page).len(), 10, "{page}");
        for (hour, item) in items(&page).iter().enumerate() {
            let from = START + 3_600 * SECOND * hour as i64;
            let values: Vec<f64> =
                known.range(from..from + 3_600 * SECOND).map(|(_, v)| *v).collect();
            assert_eq!((micros(item), &item["count"]), (from, &json!(60)), "{item}");
            assert_eq!(item["value"].as_f64(), Some(aggregated(agg, &values)), "{agg}: {item}");
        }
    }
    // The newest is known as before, and once more is a replay.
    let newest = json!({ "sensor_id": 1, "value": 9.75, "timestamp": "2025-09-11T09:59:00Z" });
    let latest = house.ask("GET", "/api/readings").expect(200);
    assert_eq!(latest["items"][0]["timestamp"], newest["timestamp"]);
    assert_eq!(latest["items"][0]["value"], newest["value"]);
    house.posts(&newest).expect(200);
    house.posts(&json!([newest])).expect(200);
    assert_eq!(count(&house, "SELECT count(*) FROM readings"), 0);
}

const WRONG: &[&str] = &[
    "from=yesterday",
    "from=",
    "from=2025-02-30T00:00:00Z",
    "to=5",
    "to=2025-09-11",
    "from=%00",
    "from=2025-09-11T00:00:00Z&from=2025-09-11T00:00:00Z",
    "limit=0",
    "limit=1001",
    "limit=-1",
    "limit=x",
    "limit=",
    "limit=1.5",
    "limit=9223372036854775808",
    "cursor=x",
    "cursor=",
    "cursor=1.5",
    "cursor=9223372036854775808",
    "every=0s",
    "every=1",
    "every=s",
    "every=",
    "every=1S",
    "every=1.5h",
    "every=-1s",
    "every=%2B1s",
    "every=367d",
    "every=31622401s",
    "every=1w",
    "every=1h30m",
    "every=99999999999999999999d",
    "every=1h&limit=0",
    "every=1h&limit=10001",
    "every=1h&cursor=1",
    "agg=avg&cursor=1",
    "agg=",
    "agg=mean",
    "agg=AVG",
    "agg=avg,min",
    // A thousand buckets are given, one more is not, unless it is asked for.
    "every=1s",
    "every=1s&limit=1000",
];

#[test]
fn what_cannot_be_asked() {
    let house = house();
    house.sensor(1, "empty");
    let mut known = Known::new();
    post(&house, &mut known, &[(START, 1.0), (START + 1_000 * SECOND, 2.0)]);
    for query in WRONG {
        let refused = house.ask("GET", &format!("/api/sensors/1/readings?{query}")).send();
        assert_eq!(refused.status, 422, "{query}: {refused:?}");
        assert!(refused.body.len() < 500, "{query}: {refused:?}");
    }
    assert_eq!(items(&house.readings(1, "?every=1s&limit=1001")).len(), 2);
    let to = time(START + 1_000 * SECOND);
    assert_eq!(items(&house.readings(1, &format!("?every=1s&to={to}"))).len(), 1);
    for query in ["every=366d", "every=31622400s", "every=1d&limit=10000", "limit=1000&else=1"] {
        house.readings(1, &format!("?{query}"));
    }
    // Where there is nothing, nothing is shown.
    for query in ["", "?limit=5", "?from=2025-09-11T00:00:00Z&to=2025-09-12T00:00:00Z"] {
        assert_eq!(house.readings(2, query), json!({ "items": [], "next": null }), "{query}");
    }
    for query in
        ["?every=1h", "?agg=min", "?every=1s&from=0001-01-01T00:00:00Z&to=9999-12-30T00:00:00Z"]
    {
        let page = house.readings(2, query);
        assert_eq!((&page["items"], &page["next"]), (&json!([]), &Value::Null), "{query}");
    }
    for window in [
        "from=2025-09-12T00:00:00Z&to=2025-09-11T00:00:00Z",
        "from=2025-09-11T00:00:00Z&to=2025-09-11T00:00:00Z",
        "from=2100-01-01T00:00:00Z",
        "to=1970-01-01T00:00:00Z",
    ] {
        for more in ["", "&every=1s", "&agg=last"] {
            assert_eq!(
                house.readings(1, &format!("?{window}{more}"))["items"],
                json!([]),
                "{window}{more}"
            );
        }
    }
    house.ask("GET", "/api/sensors/3/readings").refused(404, "UNKNOWN_SENSOR");
}

/// However long the time is that is asked for, what there is in it is answered soon.
#[test]
fn long_times_take_no_longer() {
    let house = house();
    let mut known = Known::new();
    post(&house, &mut known, &[(0, 1.0), (START, 2.0), (START + SECOND, 3.0)]);
    let all = "from=-009999-01-03T00:00:00Z&to=9999-12-30T00:00:00Z";
    let began = Instant::now();
    for (query, lens) in [
        (all.to_owned(), 3..=3),
        (format!("{all}&agg=avg"), 2..=3),
        (format!("{all}&agg=avg&limit=10000"), 2..=3),
        ("from=2025-01-01T00:00:00Z&agg=avg&limit=1".to_owned(), 1..=1),
        ("to=2025-01-01T00:00:00Z&agg=avg&limit=1".to_owned(), 1..=1),
        ("agg=avg&limit=1".to_owned(), 1..=1),
        (format!("{all}&every=366d&limit=10000"), 2..=2),
        ("agg=minmax&limit=2".to_owned(), 2..=2),
    ] {
        let found = items(&house.readings(1, &format!("?{query}"))).len();
        assert!(lens.contains(&found), "{query}: {found}");
    }
    for query in ["every=1s&limit=10000", "every=366d&limit=1"] {
        house.ask("GET", &format!("/api/sensors/1/readings?{all}&{query}")).refused(422, "INVALID");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
