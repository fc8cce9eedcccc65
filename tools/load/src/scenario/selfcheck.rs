//! The bare loop against itself: what the instrument says when the truth is 1.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use super::burst::bursts_of;
use super::chat::{FEW, Sides, messages_of};
use super::contest::{Contest, Rival};
use super::echo::{Echo, echo_lane};
use super::fanout::events_of;
use crate::bench::Bench;
use crate::dialect::Dialect;
use crate::dialogue::Until;
use crate::endpoint::Transport;
use crate::lane::Seat;
use crate::report::{Report, Row, grouped, us};
use crate::rounds::Schedule;
use crate::stat::Spread;

const BURST_SIZE: u32 = 8;
/// Members of the large room, and how many small ones there are.
const MEMBERS: usize = 1000;
const ROOMS: usize = 1000;
/// More listeners than this are not measured polling.
const POLLERS_MAX: usize = 1000;

/// A second bare loop takes the server's place. A median outside the tolerance means that this
/// machine, at this moment, cannot tell a server that keeps its budget from one that does not.
#[derive(Args, Clone, Debug)]
pub struct Selfcheck {
    /// How many listeners; a list makes a line each.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 10_000])]
    pub receivers: Vec<usize>,
    /// How far from 1 a median may lie.
    #[arg(long, default_value_t = 0.03)]
    pub tolerance: f64,
    /// How many rounds.
    #[command(flatten)]
    pub schedule: Schedule,
}

impl Selfcheck {
    /// Measures what can be measured without a server; fails outside the tolerance.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        for &receivers in &self.receivers {
            let count = grouped(receivers as u64);
            let contest = |ticks, copies| Contest {
                rivals: vec![Rival::Bare],
                dialect: Dialect::Plain,
                transport: Transport::WebSocket,
                receivers,
                ticks,
                copies,
                commit: false,
            };
            let one = contest(events_of(receivers), 1);
            self.measure(&format!("fan-out, {count} listeners"), bench, report, &one)?;
            let many = contest(bursts_of(receivers, BURST_SIZE), BURST_SIZE);
            let what = format!("burst of {BURST_SIZE}, {count} listeners");
            self.measure(&what, bench, report, &many)?;
            if receivers <= POLLERS_MAX {
                let polling = Contest { transport: Transport::Polling, ..one };
                let what = format!("long-polling, {count} listeners");
                self.measure(&what, bench, report, &polling)?;
            }
        }
        report.measure("echo", || self.echo(bench))?;
        let one = Until::Requests(messages_of(MEMBERS));
        let what = format!("message, room of {}", grouped(MEMBERS as u64));
        report.measure(&what, || self.rooms(&what, bench, (1, MEMBERS), one))?;
        let what = format!("messages, {} rooms of {FEW}", grouped(ROOMS as u64));
        let second = Until::Elapsed(Duration::from_secs(1));
        report.measure(&what, || self.rooms(&what, bench, (ROOMS, FEW), second))?;
        ensure!(report.all_kept(), "the instrument is not true here and now");
        Ok(())
    }

    fn measure(
        &self,
        what: &str,
        bench: &Bench,
        report: &mut Report,
        contest: &Contest,
    ) -> Result<()> {
        report.measure(what, || {
            let outcome = contest.run(bench, self.schedule)?;
            Ok(vec![self.row(what, &outcome.bare, outcome.first_rival())])
        })
    }

    fn echo(&self, bench: &Bench) -> Result<Vec<Row>> {
        let echo = Echo {
            dialect: Dialect::Plain,
            connections: 64,
            messages: 50_000,
            schedule: self.schedule,
        };
        let message = echo.message();
        let seat = Seat::Beside(bench.quiet_cpu()?);
        let (floor, rival) = (bench.bare()?, bench.bare()?);
        let floor_lane = echo_lane(seat, &floor.endpoint, &message, echo.connections)?;
        let rival_lane = echo_lane(seat, &rival.endpoint, &message, echo.connections)?;
        let (floor, rival) = echo.compare(&floor_lane, &rival_lane)?;
        Ok(vec![self.row("echo, 64 connections", &floor, &rival)])
    }

    fn rooms(
        &self,
        what: &str,
        bench: &Bench,
        (rooms, size): (usize, usize),
        until: Until,
    ) -> Result<Vec<Row>> {
        let costs = Sides::of_bare_loops(bench, rooms, size)?.costs(until, self.schedule)?;
        Ok(vec![self.row(what, &costs[0], &costs[1])])
    }

    fn row(&self, what: &str, floor: &[f64], rival: &[f64]) -> Row {
        let ratio = Spread::of_ratios(rival, floor);
        Row {
            what: what.to_owned(),
            bare: us(Spread::of(floor).median),
            ours: us(Spread::of(rival).median),
            ratio: Some(ratio),
            budget: format!("1 within {}", self.tolerance),
            kept: Some((ratio.median - 1.0).abs() <= self.tolerance),
        }
    }
}
