//! One event to many listeners that poll.

use anyhow::Result;
use clap::Args;

use super::contest::{Contest, Rival};
use super::fanout::events_of;
use crate::bench::Bench;
use crate::dialect::Dialect;
use crate::endpoint::Transport;
use crate::report::{Report, Row, grouped, us};
use crate::rounds::Schedule;
use crate::stat::Spread;

/// One event at a time, each made durable, to listeners that use Socket.IO over HTTP long-polling:
/// a delivery is the answer to one request and the next request.
#[derive(Args, Clone, Debug)]
pub struct Polling {
    /// How many listeners; a list makes a line each.
    #[arg(long, value_delimiter = ',', default_values_t = [1000])]
    pub receivers: Vec<usize>,
    /// Events per round. Default: 100,000 deliveries, within 10 and 500 events.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub events: Option<u64>,
    /// How many rounds.
    #[command(flatten)]
    pub schedule: Schedule,
}

impl Polling {
    /// Measures every size.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        for &receivers in &self.receivers {
            let what = format!("Socket.IO long-polling, {} listeners", grouped(receivers as u64));
            report.measure(&what, || {
                let contest = Contest {
                    rivals: vec![Rival::Bellwire],
                    dialect: Dialect::SocketIo,
                    transport: Transport::Polling,
                    receivers,
                    ticks: self.events.unwrap_or_else(|| events_of(receivers)),
                    copies: 1,
                    commit: false,
                };
                let outcome = contest.run(bench, self.schedule)?;
                let ours = outcome.first_rival();
                Ok(vec![Row {
                    what: what.clone(),
                    bare: cost(&outcome.bare),
                    ours: cost(ours),
                    ratio: Some(Spread::of_ratios(ours, &outcome.bare)),
                    budget: "none".to_owned(),
                    kept: None,
                }])
            })?;
        }
        Ok(())
    }
}

/// What a delivery costs, and how many a processor's second is enough for.
pub fn cost(us_per_delivery: &[f64]) -> String {
    let median = Spread::of(us_per_delivery).median;
    format!("{}, {} /s", us(median), grouped((1e6 / median) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_a_rate_as_well() {
        assert_eq!(cost(&[8.0, 10.0, 12.0]), "10.00 us, 100,000 /s");
    }
}
