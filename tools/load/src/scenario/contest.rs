//! The comparison behind fan-out and burst: the same listeners at the bare loop and at a rival,
//! connected at the same time, in rounds that take turns.

use anyhow::Result;

use crate::audience::Audience;
use crate::bench::{Bench, Served};
use crate::lane::{Lane, Seat};
use crate::rounds::{Schedule, Side};

/// Who stands against the bare loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rival {
    /// The server.
    Bellwire,
    /// A second bare loop, to test the instrument.
    Bare,
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Contest {
    /// Who stands against the bare loop.
    pub rival: Rival,
    /// Listeners of each side.
    pub receivers: usize,
    /// Publications per round.
    pub ticks: u64,
    /// Events in each publication.
    pub copies: u32,
    /// Whether the CPU time of a publication that nobody listens to is measured as well.
    pub commit: bool,
}

/// Server CPU in microseconds, round by round.
#[derive(Default)]
pub struct Outcome {
    /// Of the bare loop, per delivery.
    pub bare: Vec<f64>,
    /// Of the rival, per delivery.
    pub rival: Vec<f64>,
    /// Of a server without listeners, per event; empty if that was not asked for.
    pub commit: Vec<f64>,
}

/// How often the servers are started anew, the connections made in the other order, within one
/// measurement. Where the kernel happens to place ten thousand sockets in memory changes the cost
/// of all of them by a few hundredths, and who connects first is placed better.
const SEATINGS: u32 = 2;

impl Contest {
    /// Measures it.
    pub fn run(self, bench: &Bench, schedule: Schedule) -> Result<Outcome> {
        bench.check_descriptors(self.receivers)?;
        let schedule = Schedule { rounds: schedule.rounds.div_ceil(SEATINGS), ..schedule };
        let mut outcome = Outcome::default();
        for seating in 0..SEATINGS {
            let rival_first = seating % 2 == 0;
            let measured = self.seating(bench, schedule, rival_first)?;
            outcome.bare.extend(measured.bare);
            outcome.rival.extend(measured.rival);
            outcome.commit.extend(measured.commit);
        }
        Ok(outcome)
    }

    fn seating(self, bench: &Bench, schedule: Schedule, rival_first: bool) -> Result<Outcome> {
        let seat = Seat::Behind(bench.quiet_cpu()?);
        let bare = bench.bare()?;
        let rival = match self.rival {
            Rival::Bellwire => bench.bellwire()?,
            Rival::Bare => bench.bare()?,
        };
        let alone = self.commit.then(|| bench.bellwire()).transpose()?;

        let gather = |served: &Served, receivers: usize| {
            let endpoint = served.endpoint.clone();
            Lane::start(seat, move || Audience::gather(endpoint, receivers))
        };
        let (bare_lane, rival_lane) = if rival_first {
            let rival_lane = gather(&rival, self.receivers)?;
            (gather(&bare, self.receivers)?, rival_lane)
        } else {
            let bare_lane = gather(&bare, self.receivers)?;
            (bare_lane, gather(&rival, self.receivers)?)
        };
        let alone_lane = alone.as_ref().map(|alone| gather(alone, 0)).transpose()?;

        // The floor sends what the rival sends, to the byte.
        let event_len = rival_lane.run(|audience| Ok(audience.event_len()))?;
        bare_lane.run(move |audience| {
            audience.set_event_len(event_len);
            Ok(())
        })?;

        let mut sides = vec![self.side(&bare_lane), self.side(&rival_lane)];
        sides.extend(alone_lane.as_ref().map(|lane| self.side(lane)));
        let mut measured = schedule.interleave(&mut sides)?.into_iter();
        let mut next = || measured.next().unwrap_or_default();
        Ok(Outcome { bare: next(), rival: next(), commit: next() })
    }

    fn side(self, lane: &Lane<Audience>) -> Side<'_> {
        let Self { ticks, copies, .. } = self;
        Box::new(move || lane.run(move |audience| audience.round(ticks, copies)))
    }
}
