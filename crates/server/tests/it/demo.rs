//! The demo's devices: what their sensors have measured before, what they measure now, and a board that posts. And its
//! stations.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    areas_clients::printed,
    harness::{Ask, DEADLINE, until},
    process::{self, ANY_PORT, Process, output},
};

/// What a value is shown as.
type Shown = fn(f64) -> f64;
/// Times and values.
type Series = BTreeMap<Timestamp, f64>;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A column of a file in `data/weather`, of rows that begin so and whose times do; a day is its noon.
fn column(file: &str, rows: &str, during: &str, name: &str, shown: Shown) -> Series {
    let path = process::root().join("data/weather").join(file);
    let mut text = String::new();
    let gzip = GzDecoder::new(File::open(path).expect("the file is there"));
    { gzip }.read_to_string(&mut text).expect("it is gzip");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("it has a header").split(',').collect();
    let place = |names_of: &[&str]| {
        names.iter().position(|name| names_of.contains(name)).expect("it is a column")
    };
    let (time, value) = (place(&["time_hour", "date"]), place(&[name]));
    let mut series = Series::new();
    for line in lines.filter(|line| line.starts_with(rows)) {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[time].starts_with(during) && cells[value] != "NA" {
            let noon = if cells[time].contains('T') { "" } else { "T12:00:00Z" };
            let at = format!("{}{noon}", cells[time]).parse().expect("it is a time");
            let other = series.insert(at, shown(cells[value].parse().expect("it is a number")));
            assert_eq!(other, None, "{line}");
        }
    }
    series
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0 + 0.0
}

/// What each sensor shows, by its number.
fn shown() -> Vec<(i64, Series)> {
    let celsius = |value| tenths((value - 32.0) * 5.0 / 9.0);
    let same = |value| value;
    let airport: [(&str, Shown); 7] = [
        ("temp", celsius),
        ("dewp", celsius),
        ("humid", same),
        ("wind_speed", |value| tenths(value * 1609.344 / 3600.0)),
        ("pressure", same),
        ("visib", |value| tenths(value * 1.609_344)),
        ("precip", |value| (value * 2540.0).round() / 100.0),
    ];
    let seattle = ["temp_max", "temp_min", "precipitation", "wind"];
    let new_york = "nyc-hourly-2013.csv.gz";
    let july = ["EWR", "JFK"].map(|rows| column(new_york, rows, "2013-07", "temp", celsius));
    let year = |rows| airport.map(|(name, shown)| column(new_york, rows, "", name, shown));
    let days = seattle.map(|name| column("seattle-daily.csv.gz", "", "", name, same));
    let all = july.into_iter().chain(year("EWR")).chain(year("JFK")).chain(days);
    (1..).zip(all).collect()
}

/// A demo that was asked what there is.
struct Demo(Process);

impl Demo {
    fn serve(data: &Path) -> Demo {
        Demo(Process::serve(data, ANY_PORT, &["--demo"]))
    }

    fn get(&self, path: &str) -> Value {
        Ask::new(self.0.address(), "GET", path).expect(200)
    }

    /// How many readings a sensor has before this time.
    fn count(&self, sensor: i64, before: Timestamp) -> i64 {
        let path = format!("/api/sensors/{sensor}/readings?every=366d&agg=last&to={before}");
        let buckets = self.get(&path);
        let buckets = buckets["items"].as_array().expect("a list has items");
        buckets.iter().map(|bucket| bucket["count"].as_i64().expect("it has a count")).sum()
    }

    /// Waits until all sensors know all that they have measured before. A device measures once its sensors do; one
    /// after the other comes to that.
    #[track_caller]
    fn knows_all(&self, since: Timestamp) {
        for sensor in 1..=20 {
            until(&format!("sensor {sensor} knows something"), || self.latest(sensor).is_some());
        }
        for sensor in [1, 2, 3, 10, 17] {
            until(&format!("sensor {sensor} measures"), || {
                self.latest(sensor).is_some_and(|latest| latest > since)
            });
        }
    }

    /// The latest time of a sensor's readings, if it has any.
    fn latest(&self, sensor: i64) -> Option<Timestamp> {
        let all = self.get("/api/readings");
        let mut all = all["items"].as_array().expect("a list has items").iter();
        let latest = all.find(|update| update["sensor_id"] == sensor)?;
        Some(latest["timestamp"].as_str()?.parse().expect("it is a time"))
    }
}

/// How far a series is moved by a demo that began at this time, and the first time that is not of it.
fn moved(series: &Series, began: Timestamp) -> (SignedDuration, Timestamp) {
    let (last, _) = series.last_key_value().expect("it has readings");
    let days = began.duration_since(*last).as_hours() / 24;
    let by = DAY * i32::try_from(days).expect("it is not so long ago");
    (by, *last + by + SignedDuration::from_secs(1))
}

/// A start that is killed in the middle of it leaves what the next one goes on with; the one after it finds all there.
#[test]
fn a_year_of_weather_is_there_once() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let all = shown();
    assert_eq!(all.len(), 20);
    let began = Timestamp::now();
    let mut demo = Demo::serve(folder.path());
    until("a long series is begun", || demo.count(4, began) > 0);
    demo.0.kill();
    for start in ["second", "third"] {
        let started = Timestamp::now();
        let demo = Demo::serve(folder.path());
        demo.knows_all(started);
        for (sensor, series) in &all {
            let (_, end) = moved(series, began);
            let expected = i64::try_from(series.len()).expect("they are few");
            assert_eq!(demo.count(*sensor, end), expected, "sensor {sensor} at the {start} start");
        }
        demo.0.stop();
    }
}

/// All readings of some sensors, at the very times and with the very values of the files.
#[test]
fn sensors_show_what_stations_measured() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let began = Timestamp::now();
    let demo = Demo::serve(folder.path());
    demo.knows_all(began);
    let mut storm = None;
    for (sensor, series) in shown() {
        let (by, end) = moved(&series, began);
        assert!(end.duration_since(began).abs() <= DAY, "sensor {sensor} ends at {end}");
        // Each bucket has one reading; a day's is at noon.
        let (every, into) = if sensor < 17 { ("1h", 0) } else { ("1d", 12) };
        let path =
            format!("/api/sensors/{sensor}/readings?every={every}&agg=last&limit=10000&to={end}");
        let buckets = demo.get(&path);
        let readings: Series = buckets["items"]
            .as_array()
            .expect("a list has items")
            .iter()
            .map(|bucket| {
                assert_eq!(bucket["count"], 1, "sensor {sensor}: {bucket}");
                let at = bucket["timestamp"].as_str().expect("it has a time");
                let at: Timestamp = at.parse().expect("it is a time");
                let value = bucket["value"].as_f64().expect("it has a value");
                (at + SignedDuration::from_hours(into) - by, value)
            })
            .collect();
        assert!(readings == series, "sensor {sensor}: {} of {}", readings.len(), series.len());
        if sensor == 6 {
            let fault = "2013-02-12T08:00:00Z".parse::<Timestamp>().expect("it is a time");
            assert_eq!(series.get(&fault), Some(&468.7));
            storm = Some(fault + by);
        }
    }
    // The sensor that failed, as one reading among others.
    let storm = storm.expect("it is the wind at Newark");
    let after = storm + SignedDuration::from_secs(1);
    let reading = demo.get(&format!("/api/sensors/6/readings?from={storm}&to={after}"));
    let at = storm.to_string();
    let expected = json!({ "value": 468.7, "timestamp": at, "received_at": at });
    assert_eq!(reading, json!({ "items": [expected], "next": null }));
    let sensor = demo.get("/api/sensors/6");
    assert_eq!(sensor["alarm"]["above"], 30.0, "{sensor}");
    assert_eq!(sensor["retention"]["raw_days"], Value::Null, "{sensor}");
    demo.0.stop();
}

/// The numbers that the documents' clients know, and the board whose token is printed with how to post.
#[test]
fn a_board_posts_with_the_token_that_is_printed() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let demo = Demo::serve(folder.path());
    let names = ["Hydroponic System 1", "Hydroponic System 2"];
    let stations = ["Newark Airport", "Kennedy Airport", "Seattle"];
    let devices = demo.get("/api/devices");
    let devices = devices["items"].as_array().expect("a list has items");
    for (id, (device, name)) in (1..).zip(devices.iter().zip(names.iter().chain(&stations))) {
        assert_eq!((&device["id"], &device["name"]), (&json!(id), &json!(name)));
    }
    assert_eq!(devices.len(), 5);
    for id in 1..=2 {
        let sensor = demo.get(&format!("/api/sensors/{id}"));
        assert_eq!((&sensor["device_id"], &sensor["unit"]), (&json!(id), &json!("celsius")));
        assert_eq!(sensor["sensor_type"], "temperature");
    }
    until("a device is heard", || demo.get("/api/devices/1")["status"] == "active");

    let token = printed(&demo.0, "is the board of Hydroponic System 1, device 1");
    let post = |sensor: i64| {
        let path = format!("/api/sensors/{sensor}/readings");
        Ask::new(demo.0.address(), "POST", &path).bearer(&token).json(&json!({ "value": -40 }))
    };
    assert_eq!(post(1).expect(201)["value"], -40);
    post(2).refused(403, "FORBIDDEN");

    let line = printed(&demo.0, "and posts a reading, as TOKEN, by");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).env("TOKEN", &token).env("NO_PROXY", "*").stderr(Stdio::null());
    let said = output(&mut shell, DEADLINE);
    let update: Value = serde_json::from_slice(&said.stdout).expect("it prints what is answered");
    assert_eq!((&update["sensor_id"], &update["value"]), (&json!(1), &json!(25.5)), "{update}");
    demo.0.stop();
}

/// Stations are there with the first start; a later one puts nothing back.
#[test]
fn stations_are_there_once() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let demo = Demo::serve(folder.path());
    let downtown = json!({
        "id": 1, "name": "Downtown Station", "status": "online",
        "available_batteries": 15, "booked_batteries": 3, "total_batteries": 18,
    });
    let airport = json!({
        "id": 2, "name": "Airport Station", "status": "online",
        "available_batteries": 8, "booked_batteries": 0, "total_batteries": 8,
    });
    assert_eq!(demo.get("/api/stations")["items"], json!([downtown, airport]));
    let ask = |demo: &Demo, login: &str, method: &str, path: &str| {
        let body = json!({ "username": login, "password": "demo" });
        let signed_in =
            Ask::new(demo.0.address(), "POST", "/api/auth/login").json(&body).expect(200);
        let token = signed_in["token"].as_str().expect("it is a text");
        Ask::new(demo.0.address(), method, path).bearer(token)
    };
    for (booking, login, user) in [(1, "john_doe", "1"), (2, "jane", "2"), (3, "sara_cleaner", "3")]
    {
        let booked = ask(&demo, login, "GET", "/api/bookings").expect(200);
        let expected = json!([{
            "id": booking, "station_id": 1, "battery_id": 15 + booking, "user_id": user,
            "status": "confirmed", "expires_at": null,
        }]);
        assert_eq!(booked["items"], expected, "{login}");
    }
    assert_eq!(ask(&demo, "admin", "DELETE", "/api/stations/2").send().status, 204);
    ask(&demo, "john_doe", "POST", "/api/bookings/1/collect").expect(200);
    demo.0.stop();
    let demo = Demo::serve(folder.path());
    let stations = demo.get("/api/stations")["items"].clone();
    assert_eq!(stations.as_array().map(Vec::len), Some(1), "{stations}");
    assert_eq!(
        (&stations[0]["booked_batteries"], &stations[0]["total_batteries"]),
        (&json!(2), &json!(17))
    );
}
