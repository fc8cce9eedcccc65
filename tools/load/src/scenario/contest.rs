//! The comparison behind fan-out and burst: the same listeners at the bare loop and at its rivals,
//! connected at the same time, in rounds that take turns.

use anyhow::{Context as _, Result, ensure};

use crate::audience::Audience;
use crate::bench::{Bench, Served};
use crate::dialect::Dialect;
use crate::endpoint::Transport;
use crate::lane::{Lane, Seat};
use crate::peer::Peer;
use crate::rounds::{Schedule, Side};

/// Who stands against the bare loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rival {
    /// The server.
    Bellwire,
    /// The server with so many paired clients that have one area, which is changed.
    Areas(usize),
    /// A second bare loop, to test the instrument.
    Bare,
    /// Another Socket.IO server.
    Peer(Peer),
}

impl Rival {
    /// What it is called in a row.
    pub fn name(self) -> String {
        match self {
            Self::Bellwire => "ours".to_owned(),
            Self::Areas(_) => "ours, areas".to_owned(),
            Self::Bare => "bare".to_owned(),
            Self::Peer(peer) => peer.name(),
        }
    }

    /// Starts it in the quiet layout. The bare loop has one dialect, whatever is asked for.
    pub fn serve(self, bench: &Bench, dialect: Dialect, transport: Transport) -> Result<Served> {
        let mut served = match self {
            Self::Bellwire => bench.bellwire()?,
            Self::Areas(clients) => bench.paired(clients)?,
            Self::Bare => bench.bare()?,
            Self::Peer(peer) => bench.peer(peer)?,
        };
        served.endpoint.transport = transport;
        if self != Self::Bare {
            served.endpoint.dialect = dialect;
        }
        Ok(served)
    }
}

/// What is compared.
#[derive(Clone, Debug)]
pub struct Contest {
    /// Who stands against the bare loop; at least one.
    pub rivals: Vec<Rival>,
    /// What the rivals speak.
    pub dialect: Dialect,
    /// How listeners are connected, the bare loop's too.
    pub transport: Transport,
    /// Listeners of each side.
    pub receivers: usize,
    /// Publications per round.
    pub ticks: u64,
    /// Events in each publication.
    pub copies: u32,
    /// Whether the CPU time of a publication of the first rival that nobody listens to is measured
    /// as well.
    pub commit: bool,
}

/// Server CPU in microseconds, round by round.
#[derive(Default)]
pub struct Outcome {
    /// Of the bare loop, per delivery.
    pub bare: Vec<f64>,
    /// Of each rival, per delivery.
    pub rivals: Vec<Vec<f64>>,
    /// Of a server without listeners, per event; empty if that was not asked for.
    pub commit: Vec<f64>,
}

impl Outcome {
    /// What the first rival spent, which mostly is the only one.
    pub fn first_rival(&self) -> &[f64] {
        self.rivals.first().map_or(&[], Vec::as_slice)
    }
}

/// How often the servers are started anew, the connections made in the other order, within one
/// measurement. Where the kernel happens to place ten thousand sockets in memory changes the cost
/// of all of them by a few hundredths, and who connects first is placed better.
const SEATINGS: u32 = 2;

impl Contest {
    /// Measures it.
    pub fn run(&self, bench: &Bench, schedule: Schedule) -> Result<Outcome> {
        bench.check_descriptors(self.receivers)?;
        let schedule = Schedule { rounds: schedule.rounds.div_ceil(SEATINGS), ..schedule };
        let mut outcome =
            Outcome { rivals: vec![Vec::new(); self.rivals.len()], ..Outcome::default() };
        for seating in 0..SEATINGS {
            let rivals_first = seating % 2 == 0;
            let measured = self.seating(bench, schedule, rivals_first)?;
            outcome.bare.extend(measured.bare);
            for (rounds, measured) in outcome.rivals.iter_mut().zip(measured.rivals) {
                rounds.extend(measured);
            }
            outcome.commit.extend(measured.commit);
        }
        Ok(outcome)
    }

    fn seating(&self, bench: &Bench, schedule: Schedule, rivals_first: bool) -> Result<Outcome> {
        let seat = Seat::Behind(bench.quiet_cpu()?);
        let serve = |rival: Rival| rival.serve(bench, self.dialect, self.transport);
        let bare = serve(Rival::Bare)?;
        let rivals = self.rivals.iter().map(|rival| serve(*rival)).collect::<Result<Vec<_>>>()?;
        let first = self.rivals[0];
        let alone = self.commit.then(|| serve(first)).transpose()?;

        let gather = |served: &Served, receivers: usize| {
            let endpoint = served.endpoint.clone();
            Lane::start(seat, move || Audience::gather(endpoint, receivers))
        };
        let named = std::iter::once(Rival::Bare).chain(self.rivals.iter().copied());
        let mut waiting: Vec<_> = named.zip(std::iter::once(&bare).chain(&rivals)).collect();
        if rivals_first {
            waiting.rotate_left(1);
        }
        let mut lanes: Vec<(Rival, Lane<Audience>)> = Vec::new();
        for (rival, served) in waiting {
            let lane = gather(served, self.receivers).with_context(|| rival.name())?;
            // Ten thousand connections take a while, in which heartbeats have to be answered.
            for (earlier, lane) in &lanes {
                lane.run(Audience::attend).with_context(|| earlier.name())?;
            }
            lanes.push((rival, lane));
        }
        if rivals_first {
            lanes.rotate_right(1);
        }
        if let Some(alone) = &alone {
            lanes.push((first, gather(alone, 0)?));
        }

        // The floor sends what its rivals send, to the byte.
        if let [(_, bare_lane), rival_lanes @ ..] = &lanes[..]
            && let Some((_, first_lane)) = rival_lanes.first()
        {
            let event_len = first_lane.run(|audience| Ok(audience.event_len()))?;
            for (rival, lane) in &rival_lanes[..self.rivals.len()] {
                let len = lane.run(|audience| Ok(audience.event_len()))?;
                ensure!(
                    len == event_len,
                    "events of {} have {len} bytes, others {event_len}",
                    rival.name()
                );
            }
            bare_lane.run(move |audience| {
                audience.set_event_len(event_len);
                Ok(())
            })?;
        }

        let mut sides: Vec<Side<'_>> =
            lanes.iter().map(|(rival, lane)| self.side(*rival, lane)).collect();
        let mut measured = schedule.interleave(&mut sides)?.into_iter();
        let bare = measured.next().unwrap_or_default();
        let rivals = measured.by_ref().take(self.rivals.len()).collect();
        Ok(Outcome { bare, rivals, commit: measured.next().unwrap_or_default() })
    }

    fn side<'a>(&self, rival: Rival, lane: &'a Lane<Audience>) -> Side<'a> {
        let (ticks, copies) = (self.ticks, self.copies);
        let round = move |audience: &mut Audience| audience.round(ticks, copies);
        Box::new(move || lane.run(round).with_context(|| rival.name()))
    }
}
