//! Everybody comes at once: what that costs, and how much of it each is told of.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::bench::Bench;
use crate::child::{Child, Ready, ScratchDir};
use crate::dialect::Dialect;
use crate::endpoint::Publish;
use crate::herd::{Herd, Tally};
use crate::lane::{Lane, Seat};
use crate::people::{self, Person};
use crate::proc::CpuTime;
use crate::report::{Report, Row, grouped};
use crate::stat::Spread;

/// What the server says it pays for telling everybody who is here that somebody has come or gone: so
/// many frames at once, and so many a second (docs/protocol.md).
const TOLD_AT_ONCE: u64 = 200_000;
const TOLD_PER_SECOND: u64 = 20_000;
/// How long all are listened to once everybody is answered: longer than who is missing after a crash is
/// waited for.
const LISTEN: Duration = Duration::from_secs(7);
/// Silence after users have connected who say nothing.
const QUIET: Duration = Duration::from_millis(300);
/// Threads that users come from.
const LANES: usize = 2;

/// Users who come all at once. Not bound to a processor.
#[derive(Args, Clone, Debug)]
pub struct Herds {
    /// How many users come at once; a list makes lines for each.
    #[arg(long, value_delimiter = ',', default_values_t = [2000])]
    pub users: Vec<usize>,
    /// How often the server is killed, so that they come back.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub crashes: u32,
}

impl Herds {
    /// Measures every size.
    pub fn run(&self, bench: &Bench, report: &mut Report, dialect: Dialect) -> Result<()> {
        for &users in &self.users {
            let what = format!("{}presence, {} users", dialect.prefix(), grouped(users as u64));
            report.measure(&what, || self.measure(&what, bench, dialect, users))?;
        }
        Ok(())
    }

    fn measure(
        &self,
        what: &str,
        bench: &Bench,
        dialect: Dialect,
        users: usize,
    ) -> Result<Vec<Row>> {
        ensure!(users > 0, "at least one user is needed");
        bench.check_descriptors(users)?;
        // Outlives every server on it.
        let place = bench.scratch("presence")?;
        let data = place.path().join("data");
        let served = bench.bellwire_on(&data, None, bench.scratch("presence-log")?)?;
        let Publish::Create { writer, .. } = &served.endpoint.publish else {
            bail!("only a server of ours has users");
        };
        let people = people::make(served.endpoint.address, writer, users)?;

        let pid = served.endpoint.pid;
        let before = CpuTime::of(pid)?;
        let herds = gather(served.endpoint.address, dialect, &people, false)?;
        each(&herds, |herd| herd.listen(QUIET))?;
        let connecting_s = cpu_s(pid, &before)?;
        let before = CpuTime::of(pid)?;
        let began = Instant::now();
        each(&herds, Herd::say_all)?;
        each(&herds, Herd::wait)?;
        let first = Arrival::of(began, &herds, pid, &before)?;
        served.kill()?;
        drop(herds);

        let mut returns = Vec::new();
        for _ in 0..self.crashes {
            returns.push(come_back(bench, &data, dialect, &people)?);
        }
        let first = rows(&format!("{what}, first time"), users, connecting_s, &[first]);
        let back = rows(&format!("{what}, after a crash"), users, connecting_s, &returns);
        Ok(first.into_iter().chain(back).collect())
    }
}

/// Starts the server that was killed; all come back, and it is killed again.
fn come_back(bench: &Bench, data: &Path, dialect: Dialect, people: &[Person]) -> Result<Arrival> {
    let scratch: ScratchDir = bench.scratch("presence-log")?;
    let (mut child, address) = bench.launch(data, None, &scratch)?;
    child.wait_until(Ready::Readyz, address)?;
    let before = CpuTime::of(child.pid())?;
    let began = Instant::now();
    let herds = gather(address, dialect, people, true)?;
    each(&herds, Herd::wait)?;
    let arrival = Arrival::of(began, &herds, child.pid(), &before)?;
    Child::kill(child)?;
    Ok(arrival)
}

/// What came of it when all came.
struct Arrival {
    /// Until the last of them was acknowledged.
    done: Duration,
    /// Until somebody was told of another for the last time.
    last_told: Duration,
    tally: Tally,
    cpu_s: f64,
}

impl Arrival {
    /// Listens on, and adds up what all were told.
    fn of(began: Instant, herds: &[Lane<Herd>], pid: u32, before: &CpuTime) -> Result<Self> {
        let tallies = each(herds, |herd| herd.listen(LISTEN))?;
        let tally = tallies.into_iter().fold(Tally::default(), Tally::and);
        let since = |at: Option<Instant>| at.map_or(Duration::ZERO, |at| at - began);
        Ok(Self {
            done: since(tally.last_done),
            last_told: since(tally.last_told),
            tally,
            cpu_s: cpu_s(pid, before)?,
        })
    }

    /// The most that the server may have told by then: what it pays for everybody, and each user's own
    /// connection of each that it does not pay for.
    fn told_max(&self, users: usize) -> u64 {
        let seconds = self.last_told.as_secs_f64();
        TOLD_AT_ONCE + (TOLD_PER_SECOND as f64 * seconds) as u64 + users as u64
    }
}

fn cpu_s(pid: u32, before: &CpuTime) -> Result<f64> {
    Ok(CpuTime::of(pid)?.since(before).ns as f64 / 1e9)
}

/// Connects everybody, from several threads at once.
fn gather(
    address: std::net::SocketAddr,
    dialect: Dialect,
    people: &[Person],
    at_once: bool,
) -> Result<Vec<Lane<Herd>>> {
    let portion = people.len().div_ceil(LANES);
    at_the_same_time(people.chunks(portion), |people| {
        let people = people.to_vec();
        Lane::start(Seat::Free, move || Herd::gather(address, dialect, people, at_once))
    })
    .context("users could not connect")
}

/// Lets all do the same, at the same time.
fn each<R: Send + 'static>(
    herds: &[Lane<Herd>],
    job: fn(&mut Herd) -> Result<R>,
) -> Result<Vec<R>> {
    at_the_same_time(herds, |herd| herd.run(job))
}

fn at_the_same_time<T: Send, R: Send>(
    items: impl IntoIterator<Item = T>,
    job: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let job = &job;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            items.into_iter().map(|item| scope.spawn(move || job(item))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<R>>| {
            thread.join().unwrap_or_else(|_| bail!("a thread died"))
        };
        threads.into_iter().map(join).collect()
    })
}

fn rows(what: &str, users: usize, connecting_s: f64, arrivals: &[Arrival]) -> [Row; 2] {
    let squared = users as f64 * users as f64;
    let of = |value: &dyn Fn(&Arrival) -> f64| {
        Spread::of(&arrivals.iter().map(value).collect::<Vec<_>>())
    };
    let told = of(&|arrival| arrival.tally.told() as f64);
    let went = of(&|arrival| arrival.tally.went as f64);
    let is_bounded = arrivals.iter().all(|arrival| arrival.tally.told() <= arrival.told_max(users));
    let gone = match went.max {
        0.0 => String::new(),
        max => format!(", up to {} of them that one is gone", grouped(max as u64)),
    };
    let refused = of(&|arrival| arrival.tally.refused as f64);
    let refused = match refused.max {
        0.0 => String::new(),
        max => format!(", up to {} refused for a while", grouped(max as u64)),
    };
    let done = of(&|arrival| arrival.done.as_secs_f64());
    let last = of(&|arrival| arrival.last_told.as_secs_f64());
    let cpu = of(&|arrival| arrival.cpu_s);
    let share = |value: f64| value / squared;
    [
        Row {
            what: what.to_owned(),
            bare: format!("each told of each: {}", grouped(squared as u64)),
            ours: format!(
                "{} told{gone}, the last after {:.1} s; all acknowledged after {done} s{refused}",
                grouped(told.median as u64),
                last.median
            ),
            ratio: Some(Spread {
                median: share(told.median),
                min: share(told.min),
                max: share(told.max),
            }),
            budget: format!("{} and {} /s", grouped(TOLD_AT_ONCE), grouped(TOLD_PER_SECOND)),
            kept: Some(is_bounded),
        },
        Row {
            what: format!("{what}: CPU"),
            bare: format!("connecting alone: {connecting_s:.2} s"),
            ours: format!("{cpu} s"),
            ratio: Some(of(&|arrival| arrival.cpu_s / connecting_s)),
            budget: "none".to_owned(),
            kept: None,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_stands_beside_everybody_told_of_everybody() {
        for (came, seconds, kept) in [(200_000, 0, true), (222_000, 1, true), (222_001, 1, false)] {
            let arrival = Arrival {
                done: Duration::from_secs(seconds),
                last_told: Duration::from_secs(seconds),
                tally: Tally { came, ..Tally::default() },
                cpu_s: 3.0,
            };
            let [told, cpu] = rows("p", 2000, 1.5, &[arrival]);
            assert_eq!(told.kept, Some(kept), "{came}");
            assert_eq!(told.bare, "each told of each: 4,000,000");
            assert_eq!(told.ratio.expect("there is one").median, came as f64 / 4e6);
            assert_eq!(cpu.ratio.expect("there is one").median, 2.0);
        }
    }
}
