//! People who book and book again when somebody is answered: a closed loop, so many at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::boards;
use crate::bookings::{self, Command};
use crate::depot::{self, Depot};
use crate::endpoint::Endpoint;
use crate::fleet::Fleet;
use crate::frame;
use crate::proc::CpuTime;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Silence before and after.
const QUIET: Duration = Duration::from_millis(20);
/// Cancellations that are under way at once, of all together.
const CANCELLED_AT_ONCE: usize = 256;

/// What came of it.
#[derive(Debug)]
pub struct Booked {
    /// From the first call to the last answer.
    pub wall: Duration,
    /// From each call to its answer, in microseconds.
    pub latencies_us: Vec<u32>,
    /// CPU time of the server.
    pub cpu_ns: u64,
    /// Transactions that the server committed.
    pub commits: u64,
}

impl Booked {
    /// How many bookings there were.
    pub fn bookings(&self) -> u64 {
        self.latencies_us.len() as u64
    }
}

/// Connected people, each with a connection that hears nothing but answers.
pub struct Desk {
    fleet: Fleet,
    endpoint: Endpoint,
    depot: Depot,
    /// Bookings that are made next are at the stations behind this one, in their order.
    station: usize,
    /// Who books next, in this order.
    people: VecDeque<usize>,
}

impl Desk {
    /// Connects all who book.
    pub fn open(endpoint: Endpoint, depot: Depot) -> Result<Self> {
        let mut fleet = Fleet::new()?;
        for person in &depot.bookers {
            depot.connect(&mut fleet, endpoint.address, &person.token)?;
        }
        let people = (0..fleet.len()).collect();
        Ok(Self { fleet, endpoint, depot, station: 0, people })
    }

    /// Lets `callers` at a time book for so long, or until all batteries are booked; then gives all
    /// batteries back, which does not count.
    pub fn book(&mut self, callers: usize, time: Duration) -> Result<Booked> {
        ensure!(callers <= self.people.len(), "there are not so many people");
        self.fleet.quiesce(QUIET)?;
        let address = self.endpoint.address;
        let commits_before = boards::commits(address)?;
        let cpu_before = CpuTime::of(self.endpoint.pid)?;

        let mut left = self.depot.stations * self.depot.batteries;
        let mut asked_at = vec![None; self.fleet.len()];
        let mut held = Vec::new();
        let mut latencies_us = Vec::new();
        let began = Instant::now();
        let (mut last, mut under_way) = (began, 0);
        loop {
            while under_way < callers && left > 0 && began.elapsed() < time {
                let person = self.people.pop_front().context("all people are waiting")?;
                asked_at[person] = Some(Instant::now());
                self.call(person)?;
                (under_way, left) = (under_way + 1, left - 1);
            }
            if under_way == 0 {
                break;
            }
            let people = &mut self.people;
            self.fleet.pump(ANSWER_LIMIT, |heard| {
                if !bookings::is_answer(heard.text)? {
                    return Ok(());
                }
                last = Instant::now();
                let at: Instant = asked_at[heard.index].take().context("an answer to nothing")?;
                latencies_us.push(u32::try_from((last - at).as_micros()).unwrap_or(u32::MAX));
                held.push((heard.index, bookings::number_of(heard.text)?));
                people.push_back(heard.index);
                under_way -= 1;
                Ok(())
            })?;
            ensure!(last.elapsed() < ANSWER_LIMIT, "{under_way} bookings are not answered");
        }
        let wall = last - began;
        self.fleet.quiesce(QUIET)?;
        let cpu_ns = CpuTime::of(self.endpoint.pid)?.since(&cpu_before).ns;
        let commits = boards::commits(address)? - commits_before;

        let cancel = |(person, booking_id)| (person, Command::Cancel.call(booking_id));
        let calls: Vec<_> = held.into_iter().map(cancel).collect();
        depot::ask_all(&mut self.fleet, &calls, CANCELLED_AT_ONCE).context("cancelling")?;
        Ok(Booked { wall, latencies_us, cpu_ns, commits })
    }

    fn call(&mut self, person: usize) -> Result<()> {
        let station_id = self.depot.first_id + self.station as u64;
        self.station = (self.station + 1) % self.depot.stations;
        let call = Command::Book.call(station_id);
        self.fleet.send(person, &frame::encode_client(frame::TEXT, call.as_bytes()))
    }
}
