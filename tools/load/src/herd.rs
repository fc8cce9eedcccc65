//! Users who come all at once and say that they are here, and what they are told of each other.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::chat::Told;
use crate::dialect::Dialect;
use crate::fleet::Fleet;
use crate::frame;
use crate::people::Person;

/// How long nobody at all may be answered.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// Users who come before what was told to those who are there is read.
const READ_EVERY: usize = 16;
/// How long who was refused, as the server has too much to do, waits before asking again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Connections of users, one of each.
pub struct Herd {
    fleet: Fleet,
    dialect: Dialect,
    people: Vec<Person>,
    /// Users who have said that they are here.
    said: usize,
    /// By user: whether both calls are answered.
    answered: Vec<Answered>,
    /// Who asks again at what time, the earliest first.
    again: VecDeque<(Instant, usize)>,
    tally: Tally,
}

/// What a user was answered.
#[derive(Clone, Copy, Debug, Default)]
struct Answered {
    here: bool,
    personal: bool,
}

/// What the users were told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Users whose calls are all answered.
    pub done: usize,
    /// How often somebody was refused, as the server had too much to do, and asked again.
    pub refused: u64,
    /// That somebody is here.
    pub came: u64,
    /// That somebody is gone.
    pub went: u64,
    /// When the last of those was.
    pub last_done: Option<Instant>,
    /// When somebody was told last.
    pub last_told: Option<Instant>,
}

impl Herd {
    /// Connects users one after another; if `at_once`, each says to be here as soon as connected.
    pub fn gather(
        address: SocketAddr,
        dialect: Dialect,
        people: Vec<Person>,
        at_once: bool,
    ) -> Result<Self> {
        let fleet = Fleet::new()?;
        let (answered, again) = (vec![Answered::default(); people.len()], VecDeque::new());
        let tally = Tally::default();
        let mut herd = Self { fleet, dialect, people, said: 0, answered, again, tally };
        for index in 0..herd.people.len() {
            herd.fleet.join(address, dialect.chat(&herd.people[index].token))?;
            if at_once {
                herd.say(index)?;
            }
            if index % READ_EVERY == 0 {
                herd.read(Duration::ZERO)?;
            }
        }
        Ok(herd)
    }

    /// Lets all who have not said to be here say so, without waiting for anything.
    pub fn say_all(&mut self) -> Result<()> {
        (self.said..self.people.len()).try_for_each(|index| self.say(index))
    }

    /// Waits until everybody is answered.
    pub fn wait(&mut self) -> Result<()> {
        let mut progressed = Instant::now();
        while self.tally.done < self.people.len() {
            let before = self.tally.done;
            self.read(AGAIN_AFTER)?;
            if self.tally.done > before {
                progressed = Instant::now();
            }
            let missing = self.people.len() - self.tally.done;
            ensure!(progressed.elapsed() < SILENCE_LIMIT, "{missing} users are not answered");
        }
        Ok(())
    }

    /// Listens for so long; returns what was told since the beginning.
    pub fn listen(&mut self, time: Duration) -> Result<Tally> {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            self.read(deadline.saturating_duration_since(Instant::now()))?;
        }
        Ok(self.tally)
    }

    /// Lets one say what is not answered yet.
    fn say(&mut self, index: usize) -> Result<()> {
        let (person, answered) = (&self.people[index], self.answered[index]);
        let here = (!answered.here).then(|| self.dialect.here(person));
        let personal = (!answered.personal).then(|| self.dialect.join_personal(person));
        let calls = here.into_iter().chain(personal);
        let frames: Vec<u8> =
            calls.flat_map(|call| frame::encode_client(frame::TEXT, call.as_bytes())).collect();
        self.said = self.said.max(index + 1);
        self.fleet.send(index, &frames)
    }

    fn read(&mut self, wait: Duration) -> Result<()> {
        let Self { fleet, dialect, answered, again, tally, .. } = self;
        fleet.pump(wait, |heard| {
            let (index, now) = (heard.index, Instant::now());
            if dialect.is_overloaded(heard.text) {
                // The event and the acks say the same: once is enough.
                if again.iter().all(|(_, who)| *who != index) {
                    tally.refused += 1;
                    again.push_back((now + AGAIN_AFTER, index));
                }
                return Ok(());
            }
            match dialect.told(heard.text)? {
                Told::Done => {
                    let answered = &mut answered[index];
                    let was_done = answered.here && answered.personal;
                    match dialect.is_answer_to_here(heard.text) {
                        true => answered.here = true,
                        false => answered.personal = true,
                    }
                    if !was_done && answered.here && answered.personal {
                        tally.done += 1;
                        tally.last_done = Some(now);
                    }
                }
                Told::Came => {
                    tally.came += 1;
                    tally.last_told = Some(now);
                }
                Told::Went => {
                    tally.went += 1;
                    tally.last_told = Some(now);
                }
                _ => {}
            }
            Ok(())
        })?;
        while let Some((_, index)) = self.again.pop_front_if(|(at, _)| *at <= Instant::now()) {
            self.say(index)?;
        }
        Ok(())
    }
}

impl Tally {
    /// Both together.
    pub fn and(self, other: Tally) -> Tally {
        Tally {
            done: self.done + other.done,
            refused: self.refused + other.refused,
            came: self.came + other.came,
            went: self.went + other.went,
            last_done: self.last_done.max(other.last_done),
            last_told: self.last_told.max(other.last_told),
        }
    }

    /// All that was told.
    pub fn told(&self) -> u64 {
        self.came + self.went
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_are_added_and_the_last_moment_counts() {
        let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let one = Tally { done: 2, came: 3, went: 1, last_done: Some(late), ..Tally::default() };
        let moment = Some(early);
        let other =
            Tally { done: 1, refused: 5, came: 4, went: 0, last_done: moment, last_told: moment };
        let both = one.and(other);
        assert_eq!((both.done, both.refused), (3, 5));
        assert_eq!((both.came, both.went, both.told()), (7, 1, 8));
        assert_eq!((both.last_done, both.last_told), (Some(late), Some(early)));
    }
}
