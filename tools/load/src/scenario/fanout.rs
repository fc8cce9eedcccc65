//! One event to many listeners.

use anyhow::Result;
use clap::Args;

use super::contest::{Contest, Outcome, Rival};
use crate::bench::Bench;
use crate::dialect::Dialect;
use crate::endpoint::Transport;
use crate::report::{Report, Row, grouped, us};
use crate::rounds::Schedule;
use crate::stat::Spread;

/// Ours may cost this many times the floor.
pub fn budget(dialect: Dialect) -> f64 {
    match dialect {
        Dialect::Plain => 1.05,
        Dialect::SocketIo => 1.08,
    }
}

/// With fewer listeners than this the durable commit is a large part of the whole, and the floor
/// is the bare loop's work and one commit.
pub const COMMIT_COUNTS_BELOW: usize = 1000;

/// One event at a time, each made durable, to every listener.
#[derive(Args, Clone, Debug)]
pub struct Fanout {
    /// What listeners and publisher speak.
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    pub dialect: Dialect,
    /// How many listeners; a list makes a line each.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 10_000])]
    pub receivers: Vec<usize>,
    /// Events per round. Default: 100,000 deliveries, within 10 and 500 events.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub events: Option<u64>,
    /// How many rounds.
    #[command(flatten)]
    pub schedule: Schedule,
}

impl Fanout {
    /// Measures every size.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        for &receivers in &self.receivers {
            let count = grouped(receivers as u64);
            let what = format!("{}fan-out, {count} listeners", self.dialect.prefix());
            report.measure(&what, || {
                let contest = Contest {
                    rivals: vec![Rival::Bellwire],
                    dialect: self.dialect,
                    transport: Transport::WebSocket,
                    receivers,
                    ticks: self.events.unwrap_or_else(|| events_of(receivers)),
                    copies: 1,
                    commit: receivers < COMMIT_COUNTS_BELOW,
                };
                let outcome = contest.run(bench, self.schedule)?;
                Ok(vec![row(what.clone(), receivers, &outcome, budget(self.dialect))])
            })?;
        }
        Ok(())
    }
}

/// Events per round that make it long enough to be measured and short enough to take turns.
pub fn events_of(receivers: usize) -> u64 {
    (100_000 / receivers.max(1) as u64).clamp(10, 500)
}

/// A line about the first rival.
pub fn row(what: String, receivers: usize, outcome: &Outcome, budget: f64) -> Row {
    let rival = outcome.first_rival();
    let bare = Spread::of(&outcome.bare).median;
    let ours = Spread::of(rival).median;
    if outcome.commit.is_empty() {
        let ratio = Spread::of_ratios(rival, &outcome.bare);
        return Row::of_ratio(what, us(bare), us(ours), ratio, budget);
    }
    let share = |commit: f64| commit / receivers as f64;
    let floors: Vec<f64> = outcome
        .bare
        .iter()
        .zip(&outcome.commit)
        .map(|(bare, commit)| bare + share(*commit))
        .collect();
    let commit = Spread::of(&outcome.commit).median;
    let floor = format!("{} + {} (a commit: {})", us(bare), us(share(commit)), us(commit));
    let ratio = Spread::of_ratios(rival, &floors);
    Row::of_ratio(what, floor, us(ours), ratio, budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_neither_too_short_nor_too_long() {
        for (receivers, events) in [(0, 500), (100, 500), (1000, 100), (10_000, 10), (100_000, 10)]
        {
            assert_eq!(events_of(receivers), events);
        }
    }

    #[test]
    fn a_commit_is_shared_by_the_listeners() {
        let outcome = Outcome { bare: vec![3.0], rivals: vec![vec![5.0]], commit: vec![200.0] };
        let row = row("few".into(), 100, &outcome, 1.05);
        assert_eq!(row.ratio.expect("there is one").median, 1.0);
        assert_eq!(row.bare, "3.00 us + 2.00 us (a commit: 200.00 us)");
        assert_eq!(row.kept, Some(true));
    }
}
