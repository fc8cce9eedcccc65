//! Request and answer in a closed loop.

use anyhow::Result;
use clap::Args;

use crate::audience::Audience;
use crate::bench::Bench;
use crate::dialect::{self, Dialect, LOAD_ENTITY, Operation};
use crate::dialogue::{Answer, Dialogue, Until};
use crate::endpoint::Endpoint;
use crate::fleet::Fleet;
use crate::lane::{Lane, Seat};
use crate::report::{Report, Row, us};
use crate::rounds::{Schedule, Side};
use crate::socketio;
use crate::stat::Spread;

/// Ours may cost this many times the bare loop.
fn budget(dialect: Dialect) -> f64 {
    match dialect {
        Dialect::Plain => 1.05,
        Dialect::SocketIo => 1.2,
    }
}

/// Length of each message.
const MESSAGE_LEN: usize = 128;

/// Every connection sends a message, waits for it to come back, and sends the next. In Socket.IO
/// the message is a request, and its argument comes back in the ack.
#[derive(Args, Clone, Debug)]
pub struct Echo {
    /// What the connections speak.
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    pub dialect: Dialect,
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
    /// Measures the echo, and beside the plain one `states:get`.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let what = match self.dialect {
            Dialect::Plain => format!("echo, {} connections", self.connections),
            Dialect::SocketIo => {
                format!("Socket.IO request with ack, {} connections", self.connections)
            }
        };
        report.measure(&what, || self.echo(&what, bench))?;
        match self.dialect {
            Dialect::Plain => report.measure("states:get", || self.get(bench)),
            Dialect::SocketIo => Ok(()),
        }
    }

    /// What each connection sends, to the bare loop as well.
    pub fn message(&self) -> String {
        match self.dialect {
            Dialect::Plain => "m".repeat(MESSAGE_LEN),
            Dialect::SocketIo => {
                let around = socketio::ack_request("").len();
                socketio::ack_request(&"m".repeat(MESSAGE_LEN - around))
            }
        }
    }

    fn echo(&self, what: &str, bench: &Bench) -> Result<Vec<Row>> {
        bench.check_descriptors(self.connections)?;
        let seat = Seat::Beside(bench.quiet_cpu()?);
        let floor = bench.bare()?;
        let mut ours = bench.conformance()?;
        ours.endpoint.dialect = self.dialect;
        let message = self.message();
        let floor_lane = echo_lane(seat, &floor.endpoint, &message, self.connections)?;
        let ours_lane = echo_lane(seat, &ours.endpoint, &message, self.connections)?;
        let (bare, ours) = self.compare(&floor_lane, &ours_lane)?;
        Ok(vec![row(what.to_owned(), &bare, &ours, Some(budget(self.dialect)))])
    }

    fn get(&self, bench: &Bench) -> Result<Vec<Row>> {
        bench.check_descriptors(self.connections)?;
        let seat = Seat::Beside(bench.quiet_cpu()?);
        let floor = bench.bare()?;
        let ours = bench.bellwire()?;
        let floor_lane = echo_lane(seat, &floor.endpoint, &self.message(), self.connections)?;
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
        let mut sides = [self.side(floor), self.side(ours)];
        let mut measured = self.schedule.interleave(&mut sides)?.into_iter();
        let mut next = || measured.next().unwrap_or_default();
        Ok((next(), next()))
    }

    /// One of the sides of a comparison.
    pub fn side<'a>(&self, lane: &'a Lane<Dialogue>) -> Side<'a> {
        let until = Until::Requests(self.messages);
        Box::new(move || lane.run(move |talk| Ok(talk.exchange(until)?.round)))
    }
}

/// Connections to the echo of a server, each of which sends `message`.
pub fn echo_lane(
    seat: Seat,
    endpoint: &Endpoint,
    message: &str,
    connections: usize,
) -> Result<Lane<Dialogue>> {
    let endpoint = endpoint.clone();
    let messages = vec![message.to_owned(); connections];
    let answer = match endpoint.dialect {
        Dialect::Plain => Answer::Echo,
        Dialect::SocketIo => Answer::Ack,
    };
    Lane::start(seat, move || {
        let mut fleet = Fleet::new()?;
        for _ in 0..connections {
            endpoint.join_echo(&mut fleet)?;
        }
        Dialogue::new(fleet, endpoint.pid, messages, answer)
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
