//! Stations with batteries, made as staff make them, and people who book there.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::boards;
use crate::bookings::{self, Command};
use crate::fleet::Fleet;
use crate::frame;
use crate::http;
use crate::opening::Opening;
use crate::people::{self, Person};

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Calls of staff that are under way at once: fewer than a server takes of one connection.
const UNDER_WAY: usize = 32;

/// What is there.
#[derive(Clone, Debug)]
pub struct Depot {
    /// The station at which nothing happens: who listens there hears nothing.
    pub quiet_id: u64,
    /// The first of the others; their numbers follow each other.
    pub first_id: u64,
    /// How many others there are.
    pub stations: usize,
    /// Batteries at each of them.
    pub batteries: usize,
    /// Who is staff.
    pub staff: String,
    /// Who books.
    pub bookers: Vec<Person>,
}

impl Depot {
    /// Makes it, as the admin with the token `admin`.
    pub fn make(
        address: SocketAddr,
        admin: &str,
        (stations, batteries): (usize, usize),
        bookers: usize,
    ) -> Result<Self> {
        let body = r#"{"name":"Elsewhere"}"#;
        let request = http::json(address, "POST /api/stations", Some(admin), body);
        let quiet = boards::line(address)?.ask(&request).context("the first station")?;
        let quiet_id = bookings::number_of(&quiet)?;
        let mut fleet = Fleet::new()?;
        let staff = fleet.join(
            address,
            Opening::Plain { path: &bookings::path(quiet_id), token: Some(admin) },
        )?;

        let create = |number: usize| {
            let name = bookings::station_name(number);
            (staff, format!(r#"{{"type":"stations.create","name":"{name}"}}"#))
        };
        // Their names have their numbers, so that all that is told of one is as long as of another.
        let calls: Vec<_> = (0..stations).map(|n| create(n + 1 + quiet_id as usize)).collect();
        let made = ask_all(&mut fleet, &calls, UNDER_WAY)?;
        let ids = made.iter().map(|answer| bookings::number_of(answer));
        let ids = ids.collect::<Result<Vec<u64>>>()?;
        let first_id = ids.first().copied().context("at least one station is needed")?;
        let follow = (first_id..).zip(&ids).all(|(expected, id)| expected == *id);
        ensure!(follow, "the stations' numbers do not follow each other");

        let add = |number: usize| (staff, Command::Add.call(ids[number % stations]));
        let calls: Vec<_> = (0..stations * batteries).map(add).collect();
        ask_all(&mut fleet, &calls, UNDER_WAY).context("batteries")?;
        let bookers = people::make(address, admin, bookers)?;
        let staff = admin.to_owned();
        Ok(Self { quiet_id, first_id, stations, batteries, staff, bookers })
    }

    /// Connects somebody with a token to where nothing is heard.
    pub fn connect(&self, fleet: &mut Fleet, address: SocketAddr, token: &str) -> Result<usize> {
        let path = bookings::path(self.quiet_id);
        fleet.join(address, Opening::Plain { path: &path, token: Some(token) })
    }
}

/// Makes calls, each on a connection, so many under way at once; returns the answers in the same order.
pub fn ask_all(
    fleet: &mut Fleet,
    calls: &[(usize, String)],
    under_way: usize,
) -> Result<Vec<Vec<u8>>> {
    let mut answers: Vec<Vec<u8>> = vec![Vec::new(); calls.len()];
    let mut waiting: Vec<VecDeque<usize>> = vec![VecDeque::new(); fleet.len()];
    let (mut asked, mut answered) = (0, 0);
    let mut progressed = Instant::now();
    while answered < calls.len() {
        while asked < calls.len() && asked - answered < under_way {
            let (connection, call) = &calls[asked];
            waiting[*connection].push_back(asked);
            fleet.send(*connection, &frame::encode_client(frame::TEXT, call.as_bytes()))?;
            asked += 1;
        }
        let before = answered;
        fleet.pump(ANSWER_LIMIT, |heard| {
            if bookings::is_answer(heard.text)? {
                let call = waiting[heard.index].pop_front().context("an answer to nothing")?;
                answers[call] = heard.text.to_vec();
                answered += 1;
            }
            Ok(())
        })?;
        if answered > before {
            progressed = Instant::now();
        }
        ensure!(progressed.elapsed() < ANSWER_LIMIT, "{} calls are not answered", asked - answered);
    }
    Ok(answers)
}
