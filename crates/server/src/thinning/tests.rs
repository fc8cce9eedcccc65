//! Thinned streams in made-up time: what happens is a script, word by word.
//!
//! | word | what happens |
//! |---|---|
//! | `+1s/avg` `-1s/avg` | somebody listens, or does so no more |
//! | `1=20` `1=20~` | a reading of sensor 1 is committed, or one that came late; `1=20@900` was taken in at 900 ms |
//! | `x` | a row is committed that is no reading |
//! | `1200` | it is so many ms after the hour, and the task does a step |
//!
//! What is told is written as `LENGTH/AGGREGATE/SENSOR=VALUE@START`, with `START` in seconds after the hour, and a
//! `|` after each step that told something.

use std::sync::mpsc;

use bellwire_services::kit::{Answer, Outcome, Overflow, Reply as _, Settings, Tx, Variant};
use bellwire_store::batch::Write;
use serde_json::{Value, value::RawValue};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    time::interval,
};

use super::*;
use crate::{
    app::Core,
    door::Guests,
    hub::{
        Passing,
        recent::{Entry, Recent},
    },
    net::shard::{Inlet, Message},
    sequencer::ReplyTo,
};

/// An hour, in microseconds since 1970.
const HOUR: Micros = 488_000 * 3_600 * 1_000_000;

struct House {
    thinning: Arc<Thinning>,
    listening: Vec<(String, Vec<Listening>)>,
    thinner: Option<Thinner>,
    recent: Recent,
    now_ms: Micros,
    told: Vec<String>,
}

impl House {
    fn new() -> House {
        House {
            thinning: Arc::default(),
            listening: Vec::new(),
            thinner: None,
            recent: Recent::new(0, 1_000, 1 << 20),
            now_ms: 0,
            told: Vec::new(),
        }
    }

    fn play(script: &str) -> House {
        let mut house = House::new();
        script.split_whitespace().for_each(|word| house.word(word));
        house
    }

    fn word(&mut self, word: &str) {
        if let Some(kind) = word.strip_prefix('+') {
            let topic = Topic::Owned(format!("every/{kind}/sensors"));
            let listening = self.thinning.attend([&topic], self.recent.head());
            self.listening.push((kind.to_owned(), listening));
        } else if let Some(kind) = word.strip_prefix('-') {
            let place = self.listening.iter().position(|(known, _)| known == kind);
            self.listening.remove(place.expect("somebody listens to it"));
        } else if word == "x" {
            self.commit(self.now_ms, None);
        } else if word.contains('=') {
            let (reading, at_ms) = word.split_once('@').unwrap_or((word, ""));
            let at_ms = at_ms.parse().unwrap_or(self.now_ms);
            self.commit(at_ms, Some(update(reading)));
        } else {
            self.now_ms = word.parse().expect("a time");
            self.step();
        }
    }

    fn commit(&mut self, at_ms: Micros, event: Option<Event>) {
        let (offset, at) = (self.recent.head() + 1, HOUR + at_ms * 1_000);
        let row = Logged { offset, at, event, effects: Vec::new() };
        self.recent.append(&[Arc::new(Entry::new(Arc::new(row)))]);
    }

    /// What [`run`] does in a turn of its loop.
    fn step(&mut self) {
        let now = HOUR + self.now_ms * 1_000;
        let (kinds, since) = self.thinning.listened();
        if kinds.is_empty() {
            self.thinner = None;
            return;
        }
        let thinner = self.thinner.get_or_insert_with(|| Thinner::from(since));
        thinner.listen(&kinds, now);
        let rows = self.recent.range(thinner.at, self.recent.head(), usize::MAX);
        rows.expect("memory has all").iter().for_each(|row| thinner.take(&row.logged));
        thinner.close(now);
        let told = thinner.told();
        if !told.is_empty() {
            self.told.extend(told.iter().map(shown));
            self.told.push("|".to_owned());
        }
    }
}

fn update(reading: &str) -> Event {
    let (reading, late) = reading.strip_suffix('~').map_or((reading, ""), |r| (r, "/late"));
    let (sensor, value) = reading.split_once('=').expect("a sensor and a value");
    let payload = format!(
        r#"{{"sensor_id":{sensor},"sensor_type":"temperature","device_id":1,"device_name":"D","value":{value},"unit":"celsius","timestamp":"2025-09-11T15:30:00Z"}}"#
    );
    let payload = RawValue::from_string(payload).expect("it is JSON");
    Event {
        name: "sensor_data_update".into(),
        key: format!("sensor/{sensor}{late}"),
        except: Vec::new(),
        variants: vec![Variant { topics: vec![READINGS], payload }],
        overflow: Overflow::Latest,
    }
}

fn shown(event: &Event) -> String {
    let payload: Value =
        serde_json::from_str(event.variants[0].payload.get()).expect("payloads are JSON");
    let start = payload["timestamp"].as_str().and_then(|start| start.parse().ok());
    let start: jiff::Timestamp = start.expect("it has a time");
    let topic = &event.variants[0].topics[0];
    let kind = topic.strip_prefix("every/").and_then(|rest| rest.strip_suffix("/sensors"));
    let start_s = (start.as_microsecond() - HOUR) / 1_000_000;
    format!("{}/{}={}@{start_s}", kind.expect("its topic"), payload["sensor_id"], payload["value"])
}

fn check(script: &str, told: &str) {
    let house = House::play(script);
    assert_eq!(house.told.join(" "), told, "{script}");
}

#[test]
fn each_interval_is_told_once_when_it_is_over() {
    check("+1s/avg 100 1=20 1=30 900 1000 1049 1050 2050 3050", "1s/avg/1=25@0 |");
    check(
        "+1s/avg 0 1=20 1050 1=40 2=7 2050 3050 1=1 4050",
        "1s/avg/1=20@0 | 1s/avg/1=40@1 1s/avg/2=7@1 | 1s/avg/1=1@3 |",
    );
    // Once, whoever listens; each aggregate that is listened to.
    check("+1s/avg +1s/avg +1s/max 0 1=20 1=30 1050", "1s/avg/1=25@0 1s/max/1=30@0 |");
    // Each length by itself.
    check(
        "+5s/avg +1s/min 4000 1=20 4500 1=30 5050 1=50 6050",
        "1s/min/1=20@4 5s/avg/1=25@0 | 1s/min/1=50@5 |",
    );
    check("+1m/last 0 1=1 59999 1=2 60040 1=3 60050 120050", "1m/last/1=2@0 | 1m/last/1=3@60 |");
    check("+1h/minmax 0 1=1 3599000 1=2 3600100", "1h/minmax/1=2@0 |");
    // Other rows, and readings that came late, are nothing.
    check("+1s/avg 0 x 1=9~ x 1050 2050", "");
}

#[test]
fn a_reading_counts_in_the_interval_in_which_it_was_taken_in() {
    // It was committed after the end, before or after the interval was closed.
    check("+1s/avg 0 1=10 1000 1=20@999 1040 1050 2050", "1s/avg/1=15@0 |");
    check("+1s/avg 0 1=10 1050 1=20@999 1060 2050", "1s/avg/1=10@0 | 1s/avg/1=20@1 |");
    // One of the next interval ends the one before, at once.
    check("+1s/avg 0 1=10 999 1=20@1000 1001 2050", "1s/avg/1=10@0 | 1s/avg/1=20@1 |");
    check("+1s/avg 0 1=10 999 1=20@1000 1=30@999 1001 2050", "1s/avg/1=10@0 | 1s/avg/1=25@1 |");
    // The task comes late: each interval by itself.
    check(
        "+1s/avg 0 1=1@100 1=2@1100 1=3@1200 1=4@3100 5000",
        "1s/avg/1=1@0 1s/avg/1=2.5@1 1s/avg/1=4@3 |",
    );
    // The clock jumped.
    check("+1s/avg 0 1=1 900000 1=2 901050", "1s/avg/1=1@0 | 1s/avg/1=2@900 |");
}

#[test]
fn who_begins_to_listen_hears_what_came_since() {
    check("1=10 +1s/avg 1=20 500 1050", "1s/avg/1=20@0 |");
    // Somebody listened to another length: what was on its way counts too, nothing else.
    check("+5s/avg 0 1=10 500 1=20 +1s/avg 600 1=30 1050", "1s/avg/1=25@0 |");
    // Another aggregate of the same length: all that came since anyone listens to it.
    check("+1s/avg 0 1=10 500 +1s/max 1=5 1050", "1s/avg/1=7.5@0 1s/max/1=10@0 |");
    // The task does not see that nobody listened in between.
    check("+1s/avg 0 1=10 500 -1s/avg +1s/avg 1=20 1050", "1s/avg/1=15@0 |");
}

#[test]
fn what_nobody_listens_to_is_forgotten() {
    check("+1s/avg 0 1=10 500 -1s/avg 1050 +1s/avg 1=20 1100 2050", "1s/avg/1=20@1 |");
    check("+1s/avg +1s/max 0 1=10 -1s/max 1050", "1s/avg/1=10@0 |");
    check("+1s/avg +5s/avg 0 1=10 -5s/avg 1050 5050 +5s/avg 5060 10050", "1s/avg/1=10@0 |");
    let house = House::play("+1s/avg 0 1=10 1050 -1s/avg 1100 1=10 1200");
    assert!(house.thinner.is_none());
    assert!(house.thinning.lock().listeners.is_empty());
}

#[test]
fn sessions_are_counted_by_what_their_topics_are_of() {
    let thinning = Arc::new(Thinning::default());
    let attend = |topics: &[&'static str]| {
        let topics: Vec<Topic> = topics.iter().map(|topic| Topic::Borrowed(topic)).collect();
        thinning.attend(&topics, 7)
    };
    assert!(attend(&["sensors", "states", "every/2s/avg/sensors"]).is_empty());
    let one = attend(&["every/1s/avg/device/1", "statuses/device/1", "every/1s/avg/sensor/3"]);
    assert_eq!(one.len(), 1);
    let two = attend(&["every/1s/avg/sensors", "every/1m/minmax/sensors"]);
    assert_eq!(two.len(), 2);
    let listened = || thinning.listened().0;
    let (avg, minmax) = ((Every::Second, Aggregate::Avg), (Every::Minute, Aggregate::Minmax));
    assert_eq!(listened(), [avg, minmax]);
    drop(one);
    assert_eq!(listened(), [avg, minmax]);
    drop(two);
    assert_eq!(listened(), []);
    assert_eq!(thinning.listened().1, 7);
}

#[test]
fn the_task_wakes_in_time() {
    let check = |kinds: &[Kind], now_ms: Micros, pause_ms: u64| {
        let mut thinner = Thinner::from(0);
        thinner.listen(kinds, HOUR);
        let pause = thinner.pause(HOUR + now_ms * 1_000);
        assert_eq!(pause, Duration::from_millis(pause_ms), "{kinds:?} {now_ms}");
    };
    let every = |every| (every, Aggregate::Avg);
    check(&[every(Every::Second)], 0, 100);
    check(&[every(Every::Second)], 990, 60);
    check(&[every(Every::Second)], 1_050, 0);
    check(&[every(Every::Second)], 2_000, 0);
    check(&[every(Every::Hour)], 1_000, 100);
    check(&[every(Every::FiveSeconds), every(Every::Hour)], 5_000, 50);
}

/// A server without a network, and what its one shard is sent.
struct Server {
    core: Core,
    inlet: Inlet,
    runtime: Runtime,
    _folder: TempDir,
}

impl Server {
    fn new() -> Server {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let inlet = Inlet::new().expect("there are descriptors");
        let feeds = vec![inlet.feed.clone()];
        let core = Core::open(folder.path(), Guests::Everywhere, Settings::default(), feeds)
            .expect("it opens");
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Server { core, inlet, runtime: runtime.expect("it can be made"), _folder: folder }
    }

    /// Commits these events, and waits for that.
    fn commit(&self, events: Vec<Event>) {
        let (sender, answered) = mpsc::channel();
        let run = move |_: &mut Tx<'_>| {
            Ok(Outcome { events: events.clone(), ..Outcome::reply(().answer()?) })
        };
        let answer = move |result: Result<Answer, Fault>| sender.send(result).expect("it waits");
        let to = ReplyTo::Function(Box::new(answer));
        let write = Write { at: self.core.door.clock.now(), run: Box::new(run), to };
        assert!(self.core.door.store.write(write).is_ok());
        answered.recv().expect("it is answered").expect("it is committed");
    }

    /// What passes next: values, and the row before them.
    async fn passed(&self) -> Vec<(String, Offset)> {
        let mut looks = interval(Duration::from_millis(5));
        loop {
            looks.tick().await;
            while let Some(message) = self.inlet.take() {
                if let Message::Passing(events) = message {
                    let value = |event: &Event| {
                        let told = event.variants[0].payload.get();
                        let told: Value = serde_json::from_str(told).expect("payloads are JSON");
                        told["value"].to_string()
                    };
                    let passed = |passing: &Passing| {
                        (value(passing.event().expect("it is one")), passing.offset())
                    };
                    return events.iter().map(passed).collect();
                }
            }
        }
    }
}

#[test]
fn readings_are_found_in_memory_or_in_the_log() {
    let mut server = Server::new();
    let other = Event { name: "other".into(), key: "other".into(), ..update("1=0") };
    server.commit(vec![update("1=20"), other, update("2=1")]);
    server.commit(vec![update("1=30"), update("1=90~")]);
    let upto = server.core.door.recent.head();
    let check = |server: &Server, found: &str| {
        let mut thinner = Thinner::from(0);
        let now = server.core.door.clock.now();
        thinner.listen(&[(Every::Hour, Aggregate::Minmax)], now);
        server.runtime.block_on(take_in(&server.core.door, &mut thinner));
        assert_eq!(thinner.at, upto, "{found}");
        thinner.close(now + 2 * Every::Hour.micros());
        let told: Vec<_> = thinner.told().iter().map(|told| told.key.clone()).collect();
        assert_eq!(told, ["sensor/1", "sensor/2"], "{found}");
        // Whoever is there already looks no further.
        server.runtime.block_on(take_in(&server.core.door, &mut thinner));
        assert_eq!(thinner.at, upto, "{found}");
    };
    check(&server, "in memory");
    let door = Arc::get_mut(&mut server.core.door).expect("nobody else has it");
    door.recent = Arc::new(Recent::new(upto, 1, 1));
    check(&server, "in the log");
}

#[test]
fn the_task_tells_who_listens() {
    let server = Server::new();
    let door = server.core.door.clone();
    let task = server.runtime.spawn(run(door.clone()));
    server.commit(vec![update("1=10")]);
    let topic = Topic::Borrowed("every/1s/avg/device/1");
    let listening = door.thinning.attend([&topic], door.recent.head());
    server.commit(vec![update("1=20"), update("1=30")]);
    let passed = async { timeout(Duration::from_secs(20), server.passed()).await };
    let passed = server.runtime.block_on(passed).expect("it is told in time");
    // Both at once: they are one batch.
    assert_eq!(passed, [("25".to_owned(), 3)]);
    drop(listening);
    task.abort();
}
