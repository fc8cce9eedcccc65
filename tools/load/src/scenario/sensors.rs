//! Readings of sensors: how many a second are taken, and how long a month of them takes to be asked for.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::month;
use crate::bench::{Bench, Served};
use crate::boards;
use crate::child::ScratchDir;
use crate::disk;
use crate::endpoint::Publish;
use crate::feed::{Fed, Feed, Load};
use crate::lane::{Lane, Seat};
use crate::report::{Report, Row, grouped, us};
use crate::sqlite::Bulk;
use crate::stat::{self, Spread};

/// Readings of a batch, and of a transaction of SQLite's.
const BATCH: usize = 100;
/// Messages that a board has under way at most: as many as a server takes of one connection.
const UNDER_WAY_MAX: usize = 64;
/// Readings that all boards have under way together: less than a server queues, and than a watcher's socket holds.
const READINGS_UNDER_WAY: usize = 3_200;
/// How long the disk alone and SQLite alone are measured in a round.
const FLOOR_TIME: Duration = Duration::from_millis(300);
/// What is one server's default, and would refuse most of it.
const SETTINGS: &[(&str, &str)] = &[("BELLWIRE_SENSORS__RATE_MAX", "1000000")];

/// Boards post readings and wait until they are durable, with watchers that hear all of them and without; then a month
/// of one sensor is asked for. Not pinned: server, client and disk use the whole machine.
#[derive(Args, Clone, Debug)]
pub struct Sensors {
    /// How many boards post at once; a list makes lines for each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100])]
    pub devices: Vec<usize>,
    /// How they post; a list makes lines for each.
    #[arg(long, value_enum, value_delimiter = ',',
        default_values_t = [Way::One, Way::Singly, Way::Batches])]
    pub ways: Vec<Way>,
    /// How many watch.
    #[arg(long, default_value_t = 100)]
    pub watchers: usize,
    /// Rounds: the disk alone, SQLite alone, the server with watchers, one without.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Milliseconds of posting in a round.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub milliseconds: u64,
    /// How often the history is asked before it is packed, and each time by a new server.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub cold: u32,
    /// How often it is asked afterwards.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub warm: u32,
    /// Measure a part only.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Ingestion, Part::History])]
    pub parts: Vec<Part>,
}

/// How boards post.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub enum Way {
    /// A reading, when the one before is acknowledged.
    One,
    /// Readings one by one, many under way.
    Singly,
    /// The same in batches.
    Batches,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub enum Part {
    /// Readings a second.
    Ingestion,
    /// What is stored, and how long questions about it take.
    History,
}

impl Sensors {
    /// Measures all of it.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let bench = Bench { settings: SETTINGS.to_vec(), ..bench.clone() };
        if self.parts.contains(&Part::Ingestion) {
            self.ingest(&bench, report)?;
        }
        if self.parts.contains(&Part::History) {
            for kind in month::KINDS {
                report.measure(kind.name, || month::measure(&bench, kind, self.cold, self.warm))?;
            }
        }
        Ok(())
    }

    fn ingest(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let mut floor = None;
        report.measure("readings: boards and watchers", || {
            floor = Some(self.sides(bench)?);
            Ok(Vec::new())
        })?;
        let Some((probe, mut bulk, sides)) = floor else { return Ok(()) };
        for &devices in &self.devices {
            for way in &self.ways {
                let load = way.load(devices);
                report.measure(&name(&load, self.watchers), || {
                    let rounds = self.rounds(&load, probe.path(), &mut bulk, &sides)?;
                    let by_side = sides.iter().zip(&rounds.fed);
                    Ok(by_side
                        .flat_map(|(side, fed)| rounds.rows(&load, side.watchers, fed))
                        .collect())
                })?;
            }
        }
        Ok(())
    }

    /// A place on the disk, SQLite on it, and two servers.
    fn sides(&self, bench: &Bench) -> Result<(ScratchDir, Bulk, Vec<Side>)> {
        let most = self.devices.iter().copied().max().unwrap_or(0);
        bench.check_descriptors(self.watchers + most)?;
        let probe = bench.scratch("disk")?;
        let bulk = Bulk::new(probe.path())?;
        let sides =
            [self.watchers, 0].into_iter().map(|watchers| Side::start(bench, watchers, most));
        let sides = sides.collect::<Result<Vec<_>>>()?;
        Ok((probe, bulk, sides))
    }

    fn rounds(
        &self,
        load: &Load,
        probe: &std::path::Path,
        bulk: &mut Bulk,
        sides: &[Side],
    ) -> Result<Rounds> {
        let mut rounds =
            Rounds { fed: sides.iter().map(|_| Vec::new()).collect(), ..Rounds::default() };
        let (load, time) = (*load, Duration::from_millis(self.milliseconds));
        for side in sides {
            side.feed.run(move |feed| feed.run(load, time / 5))?;
        }
        for _ in 0..self.rounds {
            rounds.disk.push(disk::sync_rate(probe, FLOOR_TIME)?);
            rounds.by_sets.push(bulk.rate(load.devices, BATCH, false, FLOOR_TIME)?);
            rounds.at_once.push(bulk.rate(load.devices, BATCH, true, FLOOR_TIME)?);
            for (side, fed) in sides.iter().zip(&mut rounds.fed) {
                fed.push(side.feed.run(move |feed| feed.run(load, time))?);
            }
        }
        Ok(rounds)
    }
}

impl Way {
    fn load(self, devices: usize) -> Load {
        let (under_way, batch) = match self {
            Self::One => (1, 1),
            Self::Singly => (UNDER_WAY_MAX, 1),
            Self::Batches => (UNDER_WAY_MAX, BATCH),
        };
        let room = READINGS_UNDER_WAY / batch / devices.max(1);
        Load { devices, under_way: under_way.min(room).max(1), batch }
    }
}

/// A server with boards, and watchers or none.
struct Side {
    // In this order: connections end before their server does.
    feed: Lane<Feed>,
    watchers: usize,
    _served: Served,
}

impl Side {
    fn start(bench: &Bench, watchers: usize, boards: usize) -> Result<Self> {
        let scratch = bench.scratch("sensors")?;
        let data = scratch.path().join("data");
        let served = bench.bellwire_on(&data, None, scratch)?;
        let endpoint = served.endpoint.clone();
        let feed = Lane::start(Seat::Free, move || {
            let Publish::Create { writer, .. } = endpoint.publish.clone() else {
                anyhow::bail!("only a server of ours has sensors");
            };
            let boards = boards::make(endpoint.address, &writer, boards)?;
            Feed::new(endpoint, &writer, watchers, boards)
        })?;
        Ok(Self { feed, watchers, _served: served })
    }
}

/// What rounds of one load came to.
#[derive(Default)]
struct Rounds {
    /// `fdatasync` a second.
    disk: Vec<f64>,
    /// Readings a second of SQLite's, a transaction for each set.
    by_sets: Vec<f64>,
    /// And in one transaction.
    at_once: Vec<f64>,
    /// By side.
    fed: Vec<Vec<Fed>>,
}

impl Rounds {
    /// Readings beside SQLite's, and commits beside the disk's.
    fn rows(&self, load: &Load, watchers: usize, fed: &[Fed]) -> [Row; 2] {
        let per_second = |count: &dyn Fn(&Fed) -> u64| -> Vec<f64> {
            let rate = |fed: &Fed| count(fed) as f64 / fed.wall.as_secs_f64().max(f64::EPSILON);
            fed.iter().map(rate).collect()
        };
        let readings = per_second(&|fed| fed.readings);
        let commits = per_second(&|fed| fed.commits);
        let median = |values: &[f64]| grouped(Spread::of(values).median as u64);
        let mut latencies_us: Vec<u32> =
            fed.iter().flat_map(|fed| &fed.latencies_us).copied().collect();
        latencies_us.sort_unstable();
        let ms = |percent| f64::from(stat::percentile(&latencies_us, percent)) / 1000.0;
        let cpu_us = |fed: &Fed| fed.cpu_ns as f64 / 1000.0 / fed.readings.max(1) as f64;
        let cpu = us(Spread::of(&fed.iter().map(cpu_us).collect::<Vec<_>>()).median);
        let what = name(load, watchers);
        let row = |what: String, bare: String, ours: String, ratio: Spread| Row {
            what,
            bare,
            ours,
            ratio: Some(ratio),
            budget: "none".to_owned(),
            kept: None,
        };
        [
            row(
                what.clone(),
                format!(
                    "SQLite: {} /s in sets of {BATCH}, {} /s at once",
                    median(&self.by_sets),
                    median(&self.at_once)
                ),
                format!(
                    "{} /s, p50 {:.2} ms, p99 {:.2} ms, {cpu} CPU",
                    median(&readings),
                    ms(50.0),
                    ms(99.0)
                ),
                Spread::of_ratios(&readings, &self.by_sets),
            ),
            row(
                format!("{what}: commits"),
                format!("{} fdatasync /s", median(&self.disk)),
                format!("{} /s", median(&commits)),
                Spread::of_ratios(&commits, &self.disk),
            ),
        ]
    }
}

fn name(load: &Load, watchers: usize) -> String {
    let Load { devices, under_way, batch } = load;
    let devices = match devices {
        1 => "1 device".to_owned(),
        _ => format!("{devices} devices"),
    };
    let way = match (batch, under_way) {
        (1, 1) => "one at a time".to_owned(),
        (1, _) => format!("singly, {under_way} under way"),
        (_, 1) => format!("batches of {batch}"),
        _ => format!("batches of {batch}, {under_way} under way"),
    };
    let watchers = match watchers {
        0 => String::new(),
        _ => format!(", {watchers} watchers"),
    };
    format!("readings, {devices}, {way}{watchers}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_have_names() {
        for (devices, under_way, batch, watchers, expected) in [
            (1, 1, 1, 0, "readings, 1 device, one at a time"),
            (100, 32, 1, 100, "readings, 100 devices, singly, 32 under way, 100 watchers"),
            (100, 1, 100, 0, "readings, 100 devices, batches of 100"),
            (1, 32, 100, 0, "readings, 1 device, batches of 100, 32 under way"),
        ] {
            assert_eq!(name(&Load { devices, under_way, batch }, watchers), expected);
        }
    }

    #[test]
    fn queues_are_not_filled() {
        for (way, devices, under_way) in [
            (Way::One, 100, 1),
            (Way::Singly, 1, 64),
            (Way::Singly, 100, 32),
            (Way::Batches, 1, 32),
            (Way::Batches, 100, 1),
        ] {
            assert_eq!(way.load(devices).under_way, under_way, "{way:?} {devices}");
        }
    }

    #[test]
    fn readings_stand_beside_sqlite_and_commits_beside_the_disk() {
        let fed = Fed {
            readings: 1_000,
            wall: Duration::from_millis(500),
            latencies_us: vec![1_000; 10],
            cpu_ns: 5_000_000,
            commits: 10,
        };
        let rounds = Rounds {
            disk: vec![40.0],
            by_sets: vec![4_000.0],
            at_once: vec![9_000.0],
            fed: Vec::new(),
        };
        let load = Load { devices: 1, under_way: 1, batch: 100 };
        let [readings, commits] = rounds.rows(&load, 0, &[fed]);
        assert_eq!(readings.ours, "2,000 /s, p50 1.00 ms, p99 1.00 ms, 5.00 us CPU");
        assert_eq!(readings.ratio.expect("there is one").median, 0.5);
        assert_eq!(commits.ours, "20 /s");
        assert_eq!(commits.ratio.expect("there is one").median, 0.5);
    }
}
