//! Everything, in a few minutes.

use anyhow::Result;
use clap::Args;

use super::{Burst, Echo, Fanout, Idle, Start, Writes};
use crate::bench::Bench;
use crate::report::Report;
use crate::rounds::Schedule;

/// Every scenario with its usual sizes.
#[derive(Args, Clone, Debug)]
pub struct All {
    /// How many states are stored before the starts.
    #[arg(long, default_value_t = 1_000_000)]
    pub states: u64,
    /// How many rounds.
    #[command(flatten)]
    pub schedule: Schedule,
}

impl All {
    /// Runs them one after another.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let schedule = self.schedule;
        let fanout = Fanout { receivers: vec![100, 1000, 10_000], events: None, schedule };
        let burst = Burst { receivers: vec![1000, 10_000], size: 8, bursts: None, schedule };
        let echo = Echo { connections: 64, messages: 50_000, schedule };
        let idle = Idle { connections: 10_000 };
        let writes = Writes { callers: vec![1, 16, 256], rounds: 3, seconds: 2 };
        let start = Start { states: self.states, data: None, starts: 5 };
        fanout.run(bench, report)?;
        burst.run(bench, report)?;
        echo.run(bench, report)?;
        idle.run(bench, report)?;
        writes.run(bench, report)?;
        start.run(bench, report)
    }
}
