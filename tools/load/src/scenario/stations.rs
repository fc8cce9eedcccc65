//! Battery stations: bookings at a steady pace with many watchers, and as many bookings a second as possible.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::bench::{Bench, Served};
use crate::depot::Depot;
use crate::desk::{Booked, Desk};
use crate::disk;
use crate::endpoint::Publish;
use crate::lane::{Lane, Seat};
use crate::ledger::Ledger;
use crate::os;
use crate::report::{Report, Row, grouped, us};
use crate::rounds::{Schedule, Turn};
use crate::rush::{Rush, Rushed, Watchers};
use crate::stat::{self, Spread};

/// What is one server's default, and would refuse who books again and again without collecting.
const SETTINGS: &[(&str, &str)] = &[("BELLWIRE_STATIONS__BOOKINGS_PER_USER", "1000")];
/// The most bookings that SQLite alone makes in a transaction: with their eight rows each, as many as a
/// server takes into a batch.
const SET_MAX: usize = 100;
/// How long the disk alone and SQLite alone are measured in a round.
const FLOOR_TIME: Duration = Duration::from_millis(300);

/// Batteries are booked at a steady pace, and collected or given back, while many watch; the bare loop
/// tells as many of the same. Then as many are booked a second as so many callers at a time can, who wait
/// for the answer.
#[derive(Args, Clone, Debug)]
pub struct Stations {
    /// How many stations there are.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub stations: u32,
    /// Batteries at each.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub batteries: u32,
    /// Who watches each station.
    #[arg(long, default_value_t = 10)]
    pub watchers: usize,
    /// Who watches all stations at once.
    #[arg(long, default_value_t = 4)]
    pub watchers_of_all: usize,
    /// How many people book.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub people: u32,
    /// Bookings a second at the steady pace.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pace: u32,
    /// Seconds of a round at the steady pace.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// How many book at a time as fast as they can; a list makes lines for each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 256])]
    pub callers: Vec<usize>,
    /// Rounds of that: the disk alone, SQLite alone, the server.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub booking_rounds: u32,
    /// Milliseconds of booking in such a round.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub milliseconds: u64,
    /// Measure a part only.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Pace, Part::Rate])]
    pub parts: Vec<Part>,
    /// How many rounds at the steady pace.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub enum Part {
    /// How soon all hear of bookings that are made at a steady pace.
    Pace,
    /// How many bookings are made a second.
    Rate,
}

impl Stations {
    /// Measures both.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let bench = Bench { settings: SETTINGS.to_vec(), ..bench.clone() };
        if self.parts.contains(&Part::Pace) {
            let what = format!(
                "{} bookings /s, {} watchers of {} stations",
                grouped(self.pace.into()),
                grouped(self.stations as u64 * self.watchers as u64),
                grouped(self.stations.into())
            );
            report.measure(&what, || self.steady(&what, &bench))?;
        }
        if self.parts.contains(&Part::Rate) {
            self.rate(&bench, report)?;
        }
        Ok(())
    }

    fn steady(&self, what: &str, bench: &Bench) -> Result<Vec<Row>> {
        let watchers = Watchers { each: self.watchers, all: self.watchers_of_all };
        ensure!(watchers.each + watchers.all > 0, "at least one watcher is needed");
        let connections = self.stations as usize * watchers.each + watchers.all;
        bench.check_descriptors(connections + self.people as usize + 1)?;
        let seat = Seat::Behind(bench.quiet_cpu()?);
        let gather = |served: &Served, depot: &Depot| {
            let (endpoint, depot) = (served.endpoint.clone(), depot.clone());
            Lane::start(seat, move || Rush::gather(endpoint, depot, watchers))
        };
        // In this order: connections end before their server does.
        let (served, bare) = (bench.bellwire()?, bench.bare()?);
        let depot = self.depot(&served)?;
        let ours = gather(&served, &depot).context("ours")?;
        let floor = gather(&bare, &depot).context("bare")?;
        ours.run(Rush::attend)?;
        if let Some(cpu) = bench.other_cpu()? {
            for lane in [&floor, &ours] {
                lane.run(move |_| {
                    os::pin_this_thread(cpu)
                        .with_context(|| format!("cannot run on processor {cpu}"))
                })?;
            }
        }
        let (pace, time) = (self.pace, Duration::from_secs(self.seconds));
        // To warm up, and for what is told.
        for (lane, name) in [(&floor, "bare"), (&ours, "ours")] {
            lane.run(move |rush| rush.book(pace, time.min(Duration::from_secs(2))))
                .context(name)?;
        }
        ours.run(|rush| rush.check_script())?;
        let side = |lane, name| -> Turn<'_, Rushed> {
            let lane: &Lane<Rush> = lane;
            Box::new(move || lane.run(move |rush| rush.book(pace, time)).context(name))
        };
        let schedule = Schedule { rounds: self.rounds, warmups: 0 };
        let measured = schedule.take_turns(&mut [side(&floor, "bare"), side(&ours, "ours")])?;
        let [bare, ours] = &measured[..] else { bail!("two sides were measured") };
        Ok(steady_rows(what, bare, ours))
    }

    fn depot(&self, served: &Served) -> Result<Depot> {
        let Publish::Create { writer, .. } = &served.endpoint.publish else {
            bail!("only a server of ours has stations");
        };
        let size = (self.stations as usize, self.batteries as usize);
        Depot::make(served.endpoint.address, writer, size, self.people as usize)
    }

    fn rate(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let mut sides = None;
        report.measure("bookings: stations and people", || {
            let probe = bench.scratch("disk")?;
            let ledger = Ledger::new(probe.path())?;
            let scratch = bench.scratch("stations")?;
            let data = scratch.path().join("data");
            let served = bench.bellwire_on(&data, None, scratch)?;
            let (depot, endpoint) = (self.depot(&served)?, served.endpoint.clone());
            let desk = Lane::start(Seat::Free, move || Desk::open(endpoint, depot))?;
            sides = Some((desk, served, ledger, probe));
            Ok(Vec::new())
        })?;
        let Some((desk, _served, mut ledger, probe)) = sides else { return Ok(()) };
        for &callers in &self.callers {
            let what = match callers {
                1 => "bookings, one caller".to_owned(),
                _ => format!("bookings, {callers} callers"),
            };
            report.measure(&what, || {
                let rounds = self.rounds(callers, probe.path(), &mut ledger, &desk)?;
                Ok(rounds.rows(&what).into())
            })?;
        }
        Ok(())
    }

    fn rounds(
        &self,
        callers: usize,
        probe: &Path,
        ledger: &mut Ledger,
        desk: &Lane<Desk>,
    ) -> Result<Rounds> {
        let time = Duration::from_millis(self.milliseconds);
        let mut rounds = Rounds { set: callers.clamp(1, SET_MAX), ..Rounds::default() };
        desk.run(move |desk| desk.book(callers, time / 5))?;
        for _ in 0..self.booking_rounds {
            rounds.disk.push(disk::sync_rate(probe, FLOOR_TIME)?);
            rounds.sqlite.push(ledger.rate(rounds.set, FLOOR_TIME)?);
            rounds.booked.push(desk.run(move |desk| desk.book(callers, time))?);
        }
        Ok(rounds)
    }
}

/// Picks times out of what came of a round.
type Of = fn(&Rushed) -> &[u32];

/// What a delivery costs, and how soon bookings are heard of.
fn steady_rows(what: &str, bare: &[Rushed], ours: &[Rushed]) -> Vec<Row> {
    let costs = |rounds: &[Rushed]| -> Vec<f64> {
        rounds.iter().map(|rushed| rushed.round.us_per_delivery()).collect()
    };
    let per_commit = |rushed: &Rushed| rushed.commands as f64 / rushed.commits.max(1) as f64;
    let (bare_costs, our_costs) = (costs(bare), costs(ours));
    let cost = row(
        format!("{what}: CPU of a delivery"),
        us(Spread::of(&bare_costs).median),
        format!(
            "{}, {:.2} decisions a commit",
            us(Spread::of(&our_costs).median),
            Spread::of(&ours.iter().map(per_commit).collect::<Vec<_>>()).median
        ),
        Some(Spread::of_ratios(&our_costs, &bare_costs)),
    );
    let times: [(&str, Of); 4] = [
        ("from when it is due to each", |rushed| &rushed.since_due.each_us),
        ("from when it is due to the last", |rushed| &rushed.since_due.last_us),
        ("from its answer to each", |rushed| &rushed.since_answer.each_us),
        ("from its answer to the last", |rushed| &rushed.since_answer.last_us),
    ];
    let times =
        times.into_iter().map(|(name, of)| time_row(format!("{what}: {name}"), bare, ours, of));
    std::iter::once(cost).chain(times).collect()
}

fn time_row(what: String, bare: &[Rushed], ours: &[Rushed], of: Of) -> Row {
    let words = |rounds: &[Rushed]| {
        let sorted = sorted(rounds.iter().flat_map(of));
        let ms = |percent| ms(&sorted, percent);
        format!("p50 {:.2} ms, p99 {:.2} ms, at most {:.2} ms", ms(50.0), ms(99.0), ms(100.0))
    };
    let p99s = |rounds: &[Rushed]| -> Vec<f64> {
        rounds.iter().map(|rushed| ms(&sorted(of(rushed)), 99.0)).collect()
    };
    // Of the bare loop's a time may be nothing at all.
    let floor = p99s(bare);
    let ratio = floor.iter().all(|ms| *ms > 0.0).then(|| Spread::of_ratios(&p99s(ours), &floor));
    row(what, words(bare), words(ours), ratio)
}

fn sorted<'a>(times_us: impl IntoIterator<Item = &'a u32>) -> Vec<u32> {
    let mut sorted: Vec<u32> = times_us.into_iter().copied().collect();
    sorted.sort_unstable();
    sorted
}

fn ms(sorted_us: &[u32], percent: f64) -> f64 {
    f64::from(stat::percentile(sorted_us, percent)) / 1000.0
}

/// A line without a budget.
fn row(what: String, bare: String, ours: String, ratio: Option<Spread>) -> Row {
    Row { what, bare, ours, ratio, budget: "none".to_owned(), kept: None }
}

/// What rounds with so many callers came to.
#[derive(Default)]
struct Rounds {
    /// Bookings in one transaction of SQLite's.
    set: usize,
    /// `fdatasync` a second.
    disk: Vec<f64>,
    /// Bookings a second of SQLite's.
    sqlite: Vec<f64>,
    booked: Vec<Booked>,
}

impl Rounds {
    /// Bookings beside SQLite's, and commits beside the disk's.
    fn rows(&self, what: &str) -> [Row; 2] {
        let per_second = |count: &dyn Fn(&Booked) -> u64| -> Vec<f64> {
            let rate = |booked: &Booked| {
                count(booked) as f64 / booked.wall.as_secs_f64().max(f64::EPSILON)
            };
            self.booked.iter().map(rate).collect()
        };
        let (bookings, commits) = (per_second(&Booked::bookings), per_second(&|b| b.commits));
        let median = |values: &[f64]| grouped(Spread::of(values).median as u64);
        let latencies = sorted(self.booked.iter().flat_map(|booked| &booked.latencies_us));
        let cpu_us =
            |booked: &Booked| booked.cpu_ns as f64 / 1000.0 / booked.bookings().max(1) as f64;
        let cpu = us(Spread::of(&self.booked.iter().map(cpu_us).collect::<Vec<_>>()).median);
        let set = match self.set {
            1 => "one by one".to_owned(),
            set => format!("in sets of {set}"),
        };
        [
            row(
                what.to_owned(),
                format!("SQLite: {} /s {set}", median(&self.sqlite)),
                format!(
                    "{} /s, p50 {:.2} ms, p99 {:.2} ms, {cpu} CPU",
                    median(&bookings),
                    ms(&latencies, 50.0),
                    ms(&latencies, 99.0)
                ),
                Some(Spread::of_ratios(&bookings, &self.sqlite)),
            ),
            row(
                format!("{what}: commits"),
                format!("{} fdatasync /s", median(&self.disk)),
                format!("{} /s", median(&commits)),
                Some(Spread::of_ratios(&commits, &self.disk)),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Round;
    use crate::rush::Times;

    fn rushed(cpu_us: u64, each_us: &[u32]) -> Rushed {
        let round =
            Round { cpu_ns: cpu_us * 1000, deliveries: 100, heartbeats: 0, threads_ended: 0 };
        let times = |each_us: &[u32]| Times {
            each_us: each_us.to_vec(),
            last_us: each_us.iter().max().copied().into_iter().collect(),
        };
        let (since_due, since_answer) = (times(each_us), times(&[0]));
        Rushed { round, commands: 30, commits: 20, since_due, since_answer }
    }

    #[test]
    fn times_are_ratios_of_each_round() {
        let bare = [rushed(400, &[1000; 100]), rushed(400, &[1000; 100])];
        let ours = [rushed(600, &[2000; 100]), rushed(600, &[4000; 100])];
        let rows = steady_rows("b", &bare, &ours);
        assert_eq!(rows[0].ours, "6.00 us, 1.50 decisions a commit");
        assert_eq!(rows[0].ratio.expect("there is one").median, 1.5);
        assert_eq!(rows[1].ours, "p50 2.00 ms, p99 4.00 ms, at most 4.00 ms");
        assert_eq!(rows[1].ratio.expect("there is one").to_string(), "3.00 (2.00 to 4.00)");
        assert!(rows[3].ratio.is_none(), "nothing by nothing");
        assert_eq!(rows.len(), 5);
    }

    #[test]
    fn bookings_stand_beside_sqlite_and_commits_beside_the_disk() {
        let booked = Booked {
            wall: Duration::from_millis(500),
            latencies_us: vec![2_000; 100],
            cpu_ns: 5_000_000,
            commits: 10,
        };
        let rounds =
            Rounds { set: 16, disk: vec![40.0], sqlite: vec![400.0], booked: vec![booked] };
        let [bookings, commits] = rounds.rows("b");
        assert_eq!(bookings.bare, "SQLite: 400 /s in sets of 16");
        assert_eq!(bookings.ours, "200 /s, p50 2.00 ms, p99 2.00 ms, 50.00 us CPU");
        assert_eq!(bookings.ratio.expect("there is one").median, 0.5);
        assert_eq!(commits.ratio.expect("there is one").median, 0.5);
    }
}
