//! Everything, in a few minutes.

use anyhow::Result;
use clap::Args;

use super::chat::{Chat, Part};
use super::herds::Herds;
use super::{Areas, Burst, Echo, Fanout, Idle, Polling, Start, Writes};
use crate::bench::Bench;
use crate::dialect::Dialect;
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
        self.streams(Dialect::Plain, schedule, bench, report)?;
        // Enough for a median, in half of the time.
        let fewer = Schedule { rounds: schedule.rounds.div_ceil(2), ..schedule };
        self.streams(Dialect::SocketIo, fewer, bench, report)?;
        let polling = Polling { receivers: vec![1000], events: None, schedule: fewer };
        let areas = Areas {
            dialects: vec![Dialect::SocketIo, Dialect::Plain],
            clients: vec![100, 1000],
            changes: None,
            answers: 50,
            schedule: fewer,
        };
        let chat = Chat {
            dialects: vec![Dialect::SocketIo],
            members: vec![1000],
            messages: None,
            rooms: 1000,
            milliseconds: 1000,
            herds: Herds { users: vec![2000], crashes: 1 },
            parts: vec![Part::Room, Part::Rooms, Part::Presence],
            schedule: fewer,
        };
        let writes = Writes { callers: vec![1, 16, 256], rounds: 3, seconds: 2 };
        let start = Start { states: self.states, data: None, starts: 5 };
        polling.run(bench, report)?;
        areas.run(bench, report)?;
        chat.run(bench, report)?;
        writes.run(bench, report)?;
        start.run(bench, report)
    }

    /// What both dialects are measured by.
    fn streams(
        &self,
        dialect: Dialect,
        schedule: Schedule,
        bench: &Bench,
        report: &mut Report,
    ) -> Result<()> {
        let fanout = Fanout { dialect, receivers: vec![100, 1000, 10_000], events: None, schedule };
        let burst =
            Burst { dialect, receivers: vec![1000, 10_000], size: 8, bursts: None, schedule };
        let echo = Echo { dialect, connections: 64, messages: 50_000, schedule };
        let idle = Idle { dialect, connections: 10_000 };
        fanout.run(bench, report)?;
        burst.run(bench, report)?;
        echo.run(bench, report)?;
        idle.run(bench, report)
    }
}
