//! Rooms in which somebody speaks, and somebody else as soon as all there have heard it: a closed loop
//! in each room, over all rooms at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::bare::{self, Script};
use crate::boards;
use crate::chat::Told;
use crate::dialect::Dialect;
use crate::dialogue::Until;
use crate::fleet::{Fleet, Heard};
use crate::frame;
use crate::opening::Opening;
use crate::people::Room;
use crate::proc::CpuTime;
use crate::rounds::Round;

/// How long nothing at all may come.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// Silence before and after.
const QUIET: Duration = Duration::from_millis(50);
/// Connections that ask to enter their rooms before any of them is waited for.
const ENTER_AT_ONCE: usize = 32;

/// What the members of a room are connected to.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Where it is.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// What is spoken there. The bare loop tells what it was told to, which is in its rival's dialect.
    pub dialect: Dialect,
    /// Whether it is the bare loop.
    pub is_bare: bool,
}

/// Connected members of rooms.
pub struct Talk {
    fleet: Fleet,
    place: Place,
    circles: Vec<Circle>,
    /// By connection: its room.
    circle_of: Vec<usize>,
    /// By connection: what came of what was said last.
    heard: Vec<Share>,
}

/// The connections of one room.
struct Circle {
    /// The first of them; the others follow.
    first: usize,
    len: usize,
    /// What one says, as sent.
    message: Vec<u8>,
    /// Who says it, counted from the first.
    speaker: usize,
    said_at: Option<Instant>,
    /// What is still to come of it, the answer included.
    missing: usize,
}

/// What one connection has heard.
#[derive(Clone, Copy, Default, PartialEq)]
struct Share {
    message: bool,
    notify: bool,
    answer: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Talked {
    /// What it cost the server. A delivery is one event at one connection.
    pub round: Round,
    /// From the first message to the last delivery.
    pub wall: Duration,
    /// From each message to its last delivery, in microseconds, in no particular order.
    pub latencies_us: Vec<u32>,
    /// Transactions that the server committed.
    pub commits: u64,
}

impl AsRef<Round> for Talked {
    fn as_ref(&self) -> &Round {
        &self.round
    }
}

impl Talk {
    /// Connects the first `connected` members of each room and lets them enter it.
    pub fn gather(place: Place, rooms: &[Room], connected: usize) -> Result<Self> {
        let mut fleet = Fleet::new()?;
        let mut circles = Vec::with_capacity(rooms.len());
        let mut circle_of = Vec::new();
        let mut entering = Entering { place, since: 0 };
        for (number, room) in rooms.iter().enumerate() {
            let members = &room.members[..connected.min(room.members.len())];
            let message =
                frame::encode_client(frame::TEXT, place.dialect.say(&room.label).as_bytes());
            let (first, len) = (fleet.len(), members.len());
            circles.push(Circle { first, len, message, speaker: 0, said_at: None, missing: 0 });
            for member in members {
                circle_of.push(number);
                if place.is_bare {
                    let path = format!("{}{number}", bare::ROOM);
                    fleet.join(place.address, Opening::Plain { path: &path, token: None })?;
                    continue;
                }
                let index = fleet.join(place.address, place.dialect.chat(&member.token))?;
                for call in
                    [place.dialect.join_personal(member), place.dialect.join_room(&room.label)]
                {
                    fleet.send(index, &frame::encode_client(frame::TEXT, call.as_bytes()))?;
                }
                entering.wait(&mut fleet, ENTER_AT_ONCE)?;
            }
        }
        entering.wait(&mut fleet, 1)?;
        let heard = vec![Share::default(); circle_of.len()];
        Ok(Self { fleet, place, circles, circle_of, heard })
    }

    /// Tells the bare loop what it is to tell in rooms.
    pub fn rehearse(&mut self, script: &Script) -> Result<()> {
        ensure!(self.place.is_bare, "only the bare loop is told what to tell");
        let control = Opening::Plain { path: bare::CONTROL, token: None };
        let control = self.fleet.join(self.place.address, control)?;
        let frame = frame::encode_client(frame::TEXT, &script.encode());
        self.fleet.send(control, &frame)?;
        let mut is_answered = false;
        let deadline = Instant::now() + SILENCE_LIMIT;
        while !is_answered {
            ensure!(Instant::now() < deadline, "the bare loop does not learn");
            self.fleet.pump(SILENCE_LIMIT, |heard| {
                is_answered |= heard.index == control;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Lets one member of the middle room speak; returns what that one was told, and what another was who
    /// is half of the room away, so that neither the room nor the listener has an unusual number.
    pub fn script(&mut self) -> Result<Script> {
        let circle = self.circles.len() / 2;
        let mut script = Script::default();
        let speaker = self.say(circle)?;
        let Circle { first, len, speaker: place, .. } = self.circles[circle];
        let listener = first + (place + len / 2) % len;
        let deadline = Instant::now() + SILENCE_LIMIT;
        while self.circles[circle].missing > 0 {
            ensure!(Instant::now() < deadline, "a message did not arrive in {SILENCE_LIMIT:?}");
            let (circles, heard) = (&mut self.circles, &mut self.heard);
            let (circle_of, dialect) = (&self.circle_of, self.place.dialect);
            self.fleet.pump(SILENCE_LIMIT, |message| {
                let Heard { index, text, .. } = message;
                if index == speaker {
                    script.speaker.push(text.to_vec());
                } else if index == listener {
                    script.others.push(text.to_vec());
                }
                hear(dialect, circles, circle_of, heard, &message).map(drop)
            })?;
        }
        self.settle(circle);
        Ok(script)
    }

    /// Reads what has come, so that heartbeats are answered while others are connected.
    pub fn attend(&mut self) -> Result<()> {
        self.fleet.quiesce(QUIET)
    }

    /// Lets one speak in every room, and the next when all there have heard it, until it is enough.
    pub fn exchange(&mut self, until: Until) -> Result<Talked> {
        self.fleet.quiesce(QUIET)?;
        self.fleet.take_pings();
        let commits_before = self.commits()?;
        let before = CpuTime::of(self.place.pid)?;

        let began = Instant::now();
        let mut latencies_us = Vec::new();
        let mut last = began;
        let mut said = 0;
        let mut arrived: Vec<(usize, Instant)> = Vec::new();
        let mut due: Vec<usize> = (0..self.circles.len()).collect();
        let mut deliveries = 0;
        loop {
            for circle in due.drain(..) {
                let is_enough = match until {
                    Until::Requests(count) => said >= count,
                    Until::Elapsed(time) => began.elapsed() >= time,
                };
                if !is_enough {
                    said += 1;
                    self.say(circle)?;
                }
            }
            if latencies_us.len() as u64 == said {
                break;
            }
            let (circles, heard) = (&mut self.circles, &mut self.heard);
            let (circle_of, dialect) = (&self.circle_of, self.place.dialect);
            self.fleet.pump(SILENCE_LIMIT, |message| {
                let circle = hear(dialect, circles, circle_of, heard, &message)?;
                arrived.extend(circle.map(|circle| (circle, Instant::now())));
                Ok(())
            })?;
            for (circle, at) in arrived.drain(..) {
                let said_at = self.settle(circle).context("heard what nobody said")?;
                let latency_us = (at - said_at).as_micros();
                latencies_us.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
                deliveries += deliveries_of(self.circles[circle].len);
                last = at;
                due.push(circle);
            }
            ensure!(
                last.elapsed() < SILENCE_LIMIT,
                "of {said} messages {} did not arrive everywhere: {} deliveries are missing",
                said - latencies_us.len() as u64,
                self.circles.iter().map(|circle| circle.missing).sum::<usize>()
            );
        }
        self.listen_for_more()?;
        let spent = CpuTime::of(self.place.pid)?.since(&before);
        let commits = self.commits()? - commits_before;
        let round = Round {
            cpu_ns: spent.ns,
            deliveries,
            heartbeats: self.fleet.take_pings(),
            threads_ended: spent.threads_ended,
        };
        Ok(Talked { round, wall: last - began, latencies_us, commits })
    }

    fn commits(&self) -> Result<u64> {
        if self.place.is_bare { Ok(0) } else { boards::commits(self.place.address) }
    }

    /// Lets the next member of a room speak; returns that one's connection.
    fn say(&mut self, circle: usize) -> Result<usize> {
        let circle = &mut self.circles[circle];
        circle.speaker = (circle.speaker + 1) % circle.len;
        // An answer to who spoke.
        circle.missing = deliveries_of(circle.len) as usize + 1;
        let speaker = circle.first + circle.speaker;
        circle.said_at = Some(Instant::now());
        self.fleet.send(speaker, &circle.message)?;
        Ok(speaker)
    }

    /// Forgets what was heard of a message that has arrived everywhere; returns when it was said.
    fn settle(&mut self, circle: usize) -> Option<Instant> {
        let circle = &mut self.circles[circle];
        self.heard[circle.first..circle.first + circle.len].fill(Share::default());
        circle.said_at.take()
    }

    /// Keeps listening for a while: whatever comes now is too much.
    fn listen_for_more(&mut self) -> Result<()> {
        let deadline = Instant::now() + QUIET;
        let (circles, heard) = (&mut self.circles, &mut self.heard);
        let (circle_of, dialect) = (&self.circle_of, self.place.dialect);
        while Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            self.fleet.pump(left, |message| {
                hear(dialect, circles, circle_of, heard, &message).map(drop)
            })?;
        }
        Ok(())
    }
}

/// Notes what a connection heard; returns its room if that was the last that had to come there. What
/// comes twice, or to somebody whom it is not for, is an error.
#[inline]
fn hear(
    dialect: Dialect,
    circles: &mut [Circle],
    circle_of: &[usize],
    heard: &mut [Share],
    message: &Heard<'_>,
) -> Result<Option<usize>> {
    let index = message.index;
    // The control connection is in no room.
    let Some(&number) = circle_of.get(index) else { return Ok(None) };
    let circle = &mut circles[number];
    let is_speaker = circle.first + circle.speaker == index;
    let share = &mut heard[index];
    let (noted, is_meant) = match dialect.told(message.text)? {
        Told::Message => (&mut share.message, true),
        Told::Notify => (&mut share.notify, !is_speaker),
        Told::Done => (&mut share.answer, is_speaker),
        _ => (&mut share.message, false),
    };
    ensure!(
        is_meant && !*noted && circle.missing > 0,
        "connection {index} heard what it should not: {}",
        String::from_utf8_lossy(&message.text[..message.text.len().min(80)])
    );
    *noted = true;
    circle.missing -= 1;
    Ok((circle.missing == 0).then_some(number))
}

/// Events that a message brings to a room with so many connections: the message to each, and to each
/// but the speaker the note of it.
fn deliveries_of(connections: usize) -> u64 {
    2 * connections as u64 - 1
}

/// Connections that have asked to enter their rooms.
struct Entering {
    place: Place,
    /// How many since nobody had to be waited for.
    since: usize,
}

impl Entering {
    /// Counts one more; waits for the answers when there are `at_once`, so that whoever is counted hears
    /// all that is said from then on.
    fn wait(&mut self, fleet: &mut Fleet, at_once: usize) -> Result<()> {
        if at_once > 1 {
            self.since += 1;
        }
        if self.place.is_bare || self.since < at_once {
            return Ok(());
        }
        let mut missing = 2 * std::mem::take(&mut self.since);
        let deadline = Instant::now() + SILENCE_LIMIT;
        while missing > 0 {
            ensure!(Instant::now() < deadline, "{missing} calls to enter a room are not answered");
            let dialect = self.place.dialect;
            fleet.pump(SILENCE_LIMIT, |heard| {
                missing -= usize::from(dialect.told(heard.text)? == Told::Done);
                Ok(())
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people;

    fn script(speaker: &[&str], others: &[&str]) -> Script {
        let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        Script { speaker: texts(speaker), others: texts(others) }
    }

    const MESSAGE: &str = r#"42["messageRoom",{}]"#;
    const NOTIFY: &str = r#"42["messageResponseNotify",{}]"#;
    const DONE: &str = r#"431[{"success":true}]"#;

    fn floor(count: usize, size: usize) -> Talk {
        let address = bare::tests::serve();
        let dialect = Dialect::SocketIo;
        let place = Place { address, pid: std::process::id(), dialect, is_bare: true };
        Talk::gather(place, &people::made_up(count, size), size).unwrap()
    }

    #[test]
    fn every_room_hears_all_that_is_said_there() {
        for size in [2, 3, 4] {
            let mut talk = floor(3, size);
            talk.rehearse(&script(&[DONE, MESSAGE], &[MESSAGE, NOTIFY])).unwrap();
            // What was rehearsed is what is heard.
            let heard = talk.script().unwrap();
            assert_eq!(heard, script(&[DONE, MESSAGE], &[MESSAGE, NOTIFY]));
            for messages in [1, 2, 30] {
                let talked = talk.exchange(Until::Requests(messages)).unwrap();
                assert_eq!(talked.latencies_us.len() as u64, messages);
                assert_eq!(talked.round.deliveries, messages * (2 * size as u64 - 1));
            }
        }
    }

    #[test]
    fn what_is_too_much_is_no_measurement() {
        for (speaker, others) in [
            (&[DONE, MESSAGE, NOTIFY][..], &[MESSAGE, NOTIFY][..]),
            (&[DONE, MESSAGE], &[MESSAGE, MESSAGE]),
            (&[DONE, MESSAGE], &[MESSAGE, NOTIFY, NOTIFY]),
            (&[DONE, MESSAGE], &[DONE, NOTIFY]),
            (&[DONE, MESSAGE], &[MESSAGE, NOTIFY, r#"42["messagePage",{}]"#]),
        ] {
            let mut talk = floor(1, 3);
            talk.rehearse(&script(speaker, others)).unwrap();
            let error = talk.exchange(Until::Requests(2)).unwrap_err().to_string();
            assert!(error.contains("connection"), "{error}");
        }
    }
}
