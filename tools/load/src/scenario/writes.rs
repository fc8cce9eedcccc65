//! Acknowledged durable writes against the disk's own rate.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use crate::bench::Bench;
use crate::dialect::{Dialect, Operation};
use crate::dialogue::{Answer, Dialogue, Exchange, Until};
use crate::disk;
use crate::fleet::Fleet;
use crate::lane::{Lane, Seat};
use crate::report::{Report, Row, grouped};
use crate::stat::{self, Spread};

/// What is asked of this many callers.
struct Budget {
    callers: usize,
    /// Times the disk's own rate.
    rate: f64,
    p99_ms: f64,
}

const BUDGETS: [Budget; 3] = [
    Budget { callers: 1, rate: 0.7, p99_ms: 5.0 },
    Budget { callers: 16, rate: 3.0, p99_ms: 5.0 },
    Budget { callers: 256, rate: 5.0, p99_ms: 15.0 },
];

/// Callers that each write a state of their own, wait for the answer, and write again. Not
/// pinned: server, client and disk use the whole machine.
#[derive(Args, Clone, Debug)]
pub struct Writes {
    /// How many callers; a list makes a line each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 256])]
    pub callers: Vec<usize>,
    /// Rounds: the disk alone for half as long, then the server. Short ones, many: a shared disk
    /// changes its speed within seconds.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Seconds of writing in a round.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
}

impl Writes {
    /// Measures every count.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        for &callers in &self.callers {
            let what = format!("durable writes, callers: {callers}");
            report.measure(&what, || Ok(vec![self.measure(&what, bench, callers)?]))?;
        }
        Ok(())
    }

    fn measure(&self, what: &str, bench: &Bench, callers: usize) -> Result<Row> {
        ensure!(callers > 0, "at least one caller is needed");
        bench.check_descriptors(callers)?;
        let probe = bench.scratch("disk")?;
        let scratch = bench.scratch("writes")?;
        let data = scratch.path().join("data");
        let served = bench.bellwire_on(&data, None, scratch)?;
        let endpoint = served.endpoint.clone();
        let lane = Lane::start(Seat::Free, move || {
            let mut fleet = Fleet::new()?;
            for _ in 0..callers {
                endpoint.join_writer(&mut fleet)?;
            }
            let entity = |caller| format!("sensor.writer_{caller}");
            let requests = (0..callers).map(|caller| Dialect::Plain.create(&entity(caller), 1));
            let answer = Answer::Reply(Operation::Create);
            Dialogue::new(fleet, endpoint.pid, requests.collect(), answer)
        })?;

        let time = Duration::from_secs(self.seconds);
        let mut disk_rates = Vec::new();
        let mut exchanges = Vec::new();
        lane.run(|talk| talk.exchange(Until::Elapsed(Duration::from_millis(200))))?;
        for _ in 0..self.rounds {
            disk_rates.push(disk::sync_rate(probe.path(), time / 2)?);
            exchanges.push(lane.run(move |talk| talk.exchange(Until::Elapsed(time)))?);
        }
        Ok(row(what, callers, &disk_rates, &exchanges))
    }
}

fn row(what: &str, callers: usize, disk_rates: &[f64], exchanges: &[Exchange]) -> Row {
    let rate = |exchange: &Exchange| {
        exchange.latencies_us.len() as f64 / exchange.wall.as_secs_f64().max(f64::EPSILON)
    };
    let rates: Vec<f64> = exchanges.iter().map(rate).collect();
    let ratio = Spread::of_ratios(&rates, disk_rates);
    let mut latencies_us: Vec<u32> =
        exchanges.iter().flat_map(|exchange| &exchange.latencies_us).copied().collect();
    latencies_us.sort_unstable();
    let ms = |percent| f64::from(stat::percentile(&latencies_us, percent)) / 1000.0;
    let (p50_ms, p99_ms) = (ms(50.0), ms(99.0));

    let mut ours = format!(
        "{} /s, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms",
        grouped(Spread::of(&rates).median as u64)
    );
    let events: u64 = exchanges.iter().map(|exchange| exchange.events).sum();
    if events > 0 {
        // The server told writers what others wrote: that is in the numbers.
        ours += &format!(", {} events heard", grouped(events));
    }
    let budget = BUDGETS.iter().find(|budget| budget.callers == callers);
    Row {
        what: what.to_owned(),
        bare: format!("{} fdatasync /s", grouped(Spread::of(disk_rates).median as u64)),
        ours,
        ratio: Some(ratio),
        budget: budget.map_or("none".to_owned(), |budget| {
            format!("at least {:.1} x, p99 < {} ms", budget.rate, budget.p99_ms)
        }),
        kept: budget.map(|budget| ratio.median >= budget.rate && p99_ms < budget.p99_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Round;

    #[test]
    fn rate_and_tail_both_decide() {
        let exchange = |latency_us: u32, count: usize| Exchange {
            round: Round { cpu_ns: 0, deliveries: count as u64, heartbeats: 0, threads_ended: 0 },
            wall: Duration::from_secs(1),
            latencies_us: vec![latency_us; count],
            events: 0,
        };
        for (latency_us, count, kept) in
            [(1000, 3000, true), (1000, 2999, false), (5000, 3000, false)]
        {
            let row = row("w", 16, &[1000.0], &[exchange(latency_us, count)]);
            assert_eq!(row.kept, Some(kept), "{latency_us} {count}");
        }
        assert_eq!(row("w", 2, &[1.0], &[exchange(1, 1)]).kept, None);
    }
}
