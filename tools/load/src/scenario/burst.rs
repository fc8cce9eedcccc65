//! Several events at once to many listeners.

use anyhow::Result;
use clap::Args;

use super::contest::{Contest, Rival};
use crate::bench::Bench;
use crate::dialect::Dialect;
use crate::endpoint::Transport;
use crate::report::{Report, Row, grouped, us};
use crate::rounds::Schedule;
use crate::stat::Spread;

/// Ours may cost this many times the bare loop, which has one `send` for the whole burst.
const BUDGET: f64 = 1.15;

/// Commands of one connection in one write, so that they fall into few batches.
#[derive(Args, Clone, Debug)]
pub struct Burst {
    /// What listeners and publisher speak.
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    pub dialect: Dialect,
    /// How many listeners; a list makes a line each.
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 10_000])]
    pub receivers: Vec<usize>,
    /// Events in a burst: a server accepts 64 pipelined commands.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub size: u32,
    /// Bursts per round. Default: 200,000 deliveries, within 4 and 200 bursts.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub bursts: Option<u64>,
    /// How many rounds.
    #[command(flatten)]
    pub schedule: Schedule,
}

impl Burst {
    /// Measures every size.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        for &receivers in &self.receivers {
            let count = grouped(receivers as u64);
            let prefix = self.dialect.prefix();
            let what = format!("{prefix}burst of {}, {count} listeners", self.size);
            report.measure(&what, || {
                let contest = Contest {
                    rivals: vec![Rival::Bellwire],
                    dialect: self.dialect,
                    transport: Transport::WebSocket,
                    receivers,
                    ticks: self.bursts.unwrap_or_else(|| bursts_of(receivers, self.size)),
                    copies: self.size,
                    commit: false,
                };
                let outcome = contest.run(bench, self.schedule)?;
                let bare = us(Spread::of(&outcome.bare).median);
                let ours = us(Spread::of(outcome.first_rival()).median);
                let ratio = Spread::of_ratios(outcome.first_rival(), &outcome.bare);
                Ok(vec![Row::of_ratio(what.clone(), bare, ours, ratio, BUDGET)])
            })?;
        }
        Ok(())
    }
}

/// Bursts per round that make it long enough to be measured and short enough to take turns.
pub fn bursts_of(receivers: usize, size: u32) -> u64 {
    (200_000 / (receivers.max(1) as u64 * u64::from(size.max(1)))).clamp(4, 200)
}
