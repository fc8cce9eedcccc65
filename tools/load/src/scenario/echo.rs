//! Request and answer in a closed loop.

use anyhow::Result;
use clap::Args;

use crate::audience::Audience;
use crate::bench::Bench;
use crate::dialect::{self, LOAD_ENTITY, Operation};
use crate::dialogue::{Answer, Dialogue, Until};
use crate::endpoint::Endpoint;
use crate::fleet::Fleet;
use crate::lane::{Lane, Seat};
use crate::report::{Report, Row, us};
use crate::rounds::{Schedule, Side};
use crate::stat::Spread;

/// Ours may cost this many times the bare loop.
const BUDGET: f64 = 1.05;
/// Length of each message.
const MESSAGE_LEN: usize = 128;

/// Every connection sends a message, waits for it to come back, and sends the next.
#[derive(Args, Clone, Debug)]
pub struct Echo {
    /// How many connections.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Messages of all connections in a round.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub messages: u64,
    /// How many rounds.
    #[command(flatten)]
    pub schedule: Schedule,
}

impl Echo {
    /// Measures the echo, and `states:get` beside it.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        report.measure("echo", || self.echo(bench))?;
        report.measure("states:get", || self.get(bench))
    }

    fn echo(&self, bench: &Bench) -> Result<Vec<Row>> {
        bench.check_descriptors(self.connections)?;
        let seat = Seat::Beside(bench.quiet_cpu()?);
        let floor = bench.bare()?;
        let ours = bench.conformance()?;
        let floor_lane = echo_lane(seat, &floor.endpoint, self.connections)?;
        let ours_lane = echo_lane(seat, &ours.endpoint, self.connections)?;
        let what = format!("echo, {} connections", self.connections);
        let (bare, ours) = self.compare(&floor_lane, &ours_lane)?;
        Ok(vec![row(what, &bare, &ours, Some(BUDGET))])
    }

    fn get(&self, bench: &Bench) -> Result<Vec<Row>> {
        bench.check_descriptors(self.connections)?;
        let seat = Seat::Beside(bench.quiet_cpu()?);
        let floor = bench.bare()?;
        let ours = bench.bellwire()?;
        let floor_lane = echo_lane(seat, &floor.endpoint, self.connections)?;
        // Its first event is the state that is asked for.
        let endpoint = ours.endpoint.clone();
        drop(Lane::start(seat, move || Audience::gather(endpoint, 0))?);
        let ours_lane = get_lane(seat, &ours.endpoint, self.connections)?;
        let what = format!("states:get beside a bare echo, {}", self.connections);
        let (bare, ours) = self.compare(&floor_lane, &ours_lane)?;
        Ok(vec![row(what, &bare, &ours, None)])
    }

    /// Microseconds of server CPU per answer of two dialogues that take turns.
    pub fn compare(
        &self,
        floor: &Lane<Dialogue>,
        ours: &Lane<Dialogue>,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let messages = self.messages;
        let side = |lane| -> Side<'_> {
            let lane: &Lane<Dialogue> = lane;
            Box::new(move || {
                lane.run(move |talk| Ok(talk.exchange(Until::Requests(messages))?.round))
            })
        };
        let mut measured = self.schedule.interleave(&mut [side(floor), side(ours)])?.into_iter();
        let mut next = || measured.next().unwrap_or_default();
        Ok((next(), next()))
    }
}

/// Connections to the echo of a server.
pub fn echo_lane(seat: Seat, endpoint: &Endpoint, connections: usize) -> Result<Lane<Dialogue>> {
    let endpoint = endpoint.clone();
    Lane::start(seat, move || {
        let mut fleet = Fleet::new()?;
        for _ in 0..connections {
            endpoint.join_echo(&mut fleet)?;
        }
        let messages = vec!["m".repeat(MESSAGE_LEN); connections];
        Dialogue::new(fleet, endpoint.pid, messages, Answer::Echo)
    })
}

fn get_lane(seat: Seat, endpoint: &Endpoint, connections: usize) -> Result<Lane<Dialogue>> {
    let endpoint = endpoint.clone();
    Lane::start(seat, move || {
        let mut fleet = Fleet::new()?;
        for _ in 0..connections {
            endpoint.join_reader(&mut fleet)?;
        }
        let requests = vec![dialect::get(LOAD_ENTITY); connections];
        Dialogue::new(fleet, endpoint.pid, requests, Answer::Reply(Operation::Get))
    })
}

fn row(what: String, bare: &[f64], ours: &[f64], budget: Option<f64>) -> Row {
    let ratio = Spread::of_ratios(ours, bare);
    let (bare, ours) = (us(Spread::of(bare).median), us(Spread::of(ours).median));
    match budget {
        Some(budget) => Row::of_ratio(what, bare, ours, ratio, budget),
        None => Row { what, bare, ours, ratio: Some(ratio), budget: "none".to_owned(), kept: None },
    }
}
