//! Ours beside other people's Socket.IO servers.

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::burst::bursts_of;
use super::contest::{Contest, Outcome, Rival};
use super::echo::{Echo, echo_lane};
use super::fanout::events_of;
use super::idle::Idle;
use crate::audience::Audience;
use crate::bench::Bench;
use crate::dialect::Dialect;
use crate::endpoint::Transport;
use crate::lane::{Lane, Seat};
use crate::peer::Peer;
use crate::report::{Report, Row, grouped, us};
use crate::rounds::{Schedule, Side};
use crate::stat::Spread;

/// Events in a burst, and the least number of listeners that it is measured with.
const BURST_SIZE: u32 = 8;
/// See [`BURST_SIZE`].
const BURST_FROM: usize = 1000;
/// Listeners that poll.
const POLLERS: usize = 1000;
/// Connections that ask for acks.
const CALLERS: usize = 64;

/// Fan-out, burst, long-polling, request with ack and memory, of ours and of other servers in the
/// same rounds, each by the same bare loop. Installs them first: that takes a package registry,
/// once.
#[derive(Args, Clone, Debug)]
pub struct Peers {
    /// Who is measured; a list.
    #[arg(long, value_enum, value_delimiter = ',',
        default_values_t = [Who::Ours, Who::Socketioxide, Who::Node])]
    pub who: Vec<Who>,
    /// How many listeners; a list makes lines each.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 10_000])]
    pub receivers: Vec<usize>,
    /// Requests for an ack in a round, of all connections.
    #[arg(long, default_value_t = 20_000,
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub messages: u64,
    /// How many idle connections.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Rounds of each that count: half of what is usual, as there are more to take turns.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Who {
    /// The server binary.
    Ours,
    /// The crate, built from `tools/load/peers/socketioxide`.
    Socketioxide,
    /// The package, installed in `tools/load/peers/node`.
    Node,
}

impl Who {
    fn rival(self) -> Rival {
        match self {
            Self::Ours => Rival::Bellwire,
            Self::Socketioxide => Rival::Peer(Peer::Socketioxide),
            Self::Node => Rival::Peer(Peer::Node),
        }
    }
}

impl Peers {
    /// Installs and measures.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let rivals = self.present(bench, report)?;
        if rivals.is_empty() {
            return Ok(());
        }
        for &receivers in &self.receivers {
            let what = format!("fan-out, {} listeners", grouped(receivers as u64));
            let ticks = events_of(receivers);
            let contest = contest(&rivals, receivers, ticks, 1);
            self.measure(&what, bench, report, &contest)?;
        }
        for &receivers in self.receivers.iter().filter(|receivers| **receivers >= BURST_FROM) {
            let what = format!("burst of {BURST_SIZE}, {} listeners", grouped(receivers as u64));
            let ticks = bursts_of(receivers, BURST_SIZE);
            let contest = contest(&rivals, receivers, ticks, BURST_SIZE);
            self.measure(&what, bench, report, &contest)?;
        }
        let polling = Contest {
            transport: Transport::Polling,
            ..contest(&rivals, POLLERS, events_of(POLLERS), 1)
        };
        let what = format!("long-polling, {} listeners", grouped(POLLERS as u64));
        self.measure(&what, bench, report, &polling)?;
        report.measure("request with ack", || self.ack(bench, &rivals))?;
        report.measure("idle", || self.idle(bench, &rivals))
    }

    /// Those that deliver. Who does not has one row that says why, and spoils nobody's rounds.
    fn present(&self, bench: &Bench, report: &mut Report) -> Result<Vec<Rival>> {
        let mut present = Vec::new();
        for rival in self.who.iter().map(|who| who.rival()) {
            match prove(rival, bench) {
                Ok(()) => present.push(rival),
                Err(error) => report.measure(&rival.name(), || Err(error))?,
            }
        }
        Ok(present)
    }

    fn schedule(&self) -> Schedule {
        Schedule { rounds: self.rounds, warmups: 1 }
    }

    fn measure(
        &self,
        what: &str,
        bench: &Bench,
        report: &mut Report,
        contest: &Contest,
    ) -> Result<()> {
        report.measure(what, || {
            let outcome = contest.run(bench, self.schedule())?;
            Ok(rows(what, &contest.rivals, &outcome))
        })
    }

    fn ack(&self, bench: &Bench, rivals: &[Rival]) -> Result<Vec<Row>> {
        let seat = Seat::Beside(bench.quiet_cpu()?);
        let echo = Echo {
            dialect: Dialect::SocketIo,
            connections: CALLERS,
            messages: self.messages,
            schedule: self.schedule(),
        };
        let floor = bench.bare()?;
        // Before the lanes, which are dropped first: a server stops when its callers have gone.
        let mut servers = Vec::new();
        let mut lanes = Vec::new();
        let floor_lane = echo_lane(seat, &floor.endpoint, &echo.message(), CALLERS)?;
        for rival in rivals {
            let mut served = match rival {
                Rival::Bellwire | Rival::Areas(_) => bench.conformance()?,
                Rival::Peer(peer) => bench.peer(*peer)?,
                Rival::Bare => bench.bare()?,
            };
            served.endpoint.dialect = Dialect::SocketIo;
            lanes.push(echo_lane(seat, &served.endpoint, &echo.message(), CALLERS)?);
            servers.push(served);
        }
        let mut sides: Vec<Side<'_>> = vec![echo.side(&floor_lane)];
        sides.extend(lanes.iter().map(|lane: &Lane<_>| echo.side(lane)));
        let mut measured = self.schedule().interleave(&mut sides)?;
        let outcome = Outcome { bare: measured.remove(0), rivals: measured, commit: Vec::new() };
        Ok(rows(&format!("request with ack, {CALLERS} connections"), rivals, &outcome))
    }

    fn idle(&self, bench: &Bench, rivals: &[Rival]) -> Result<Vec<Row>> {
        let idle = Idle { dialect: Dialect::SocketIo, connections: self.connections };
        let seat = Seat::Beside(bench.quiet_cpu()?);
        bench.check_descriptors(self.connections as usize)?;
        let bare = idle.measure(seat, &bench.bare()?.endpoint)?;
        let mut rows = Vec::new();
        for rival in rivals {
            let served = rival.serve(bench, Dialect::SocketIo, Transport::WebSocket)?;
            let each = idle.measure(seat, &served.endpoint)?;
            rows.push(Row {
                what: format!(
                    "idle, {} connections: {}",
                    grouped(self.connections.into()),
                    rival.name()
                ),
                bare: format!("{:.0} B", bare.rss),
                ours: format!("{} B", grouped(each.rss.max(0.0) as u64)),
                ratio: None,
                budget: String::new(),
                kept: None,
            });
        }
        Ok(rows)
    }
}

/// Installs whoever is not ours, and has one event delivered to one listener.
fn prove(rival: Rival, bench: &Bench) -> Result<()> {
    if let Rival::Peer(peer) = rival {
        peer.install()?;
    }
    let served = rival.serve(bench, Dialect::SocketIo, Transport::WebSocket)?;
    let endpoint = served.endpoint.clone();
    let seat = Seat::Beside(bench.quiet_cpu()?);
    drop(Lane::start(seat, move || Audience::gather(endpoint, 1))?);
    Ok(())
}

/// The same listeners at each rival. What ours spends on making an event durable counts in full.
fn contest(rivals: &[Rival], receivers: usize, ticks: u64, copies: u32) -> Contest {
    Contest {
        rivals: rivals.to_vec(),
        dialect: Dialect::SocketIo,
        transport: Transport::WebSocket,
        receivers,
        ticks,
        copies,
        commit: false,
    }
}

/// A row for each rival. None has a budget here: ours is judged where it is measured alone.
fn rows(what: &str, rivals: &[Rival], outcome: &Outcome) -> Vec<Row> {
    let row = |(rival, measured): (&Rival, &Vec<f64>)| Row {
        what: format!("{what}: {}", rival.name()),
        bare: us(Spread::of(&outcome.bare).median),
        ours: us(Spread::of(measured).median),
        ratio: Some(Spread::of_ratios(measured, &outcome.bare)),
        budget: String::new(),
        kept: None,
    };
    rivals.iter().zip(&outcome.rivals).map(row).collect()
}
