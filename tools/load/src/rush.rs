//! Batteries that are booked at a steady pace, however long that takes the server, and watchers who must
//! hear all of it. A booking's time begins when it was to be made, not when it could be: who waits behind
//! others waits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::bare::{self, telling};
use crate::boards;
use crate::bookings::{self, Command};
use crate::depot::Depot;
use crate::endpoint::{Endpoint, Publish};
use crate::fleet::{Fleet, Heard};
use crate::frame;
use crate::opening::Opening;
use crate::proc::CpuTime;
use crate::rounds::Round;

/// How long nothing at all may come of what was asked for.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// Silence before and after.
const QUIET: Duration = Duration::from_millis(50);
/// How long a battery is held; as long after it was collected another comes in its place.
const HOLD: Duration = Duration::from_millis(250);
/// The shortest sleep: of what is due sooner the client sees to it that it is not late.
const NAP: Duration = Duration::from_millis(1);

/// Who watches.
#[derive(Clone, Copy, Debug)]
pub struct Watchers {
    /// At each station.
    pub each: usize,
    /// All stations at once.
    pub all: usize,
}

/// What comes of a round.
#[derive(Debug)]
pub struct Rushed {
    /// What it cost the server. A delivery is one event at one watcher.
    pub round: Round,
    /// How many decisions there were: bookings, and what became of them.
    pub commands: u64,
    /// Transactions that the server committed.
    pub commits: u64,
    /// From when a booking was to be made.
    pub since_due: Times,
    /// From when who booked was answered; nothing for what had come by then.
    pub since_answer: Times,
}

/// Microseconds until a booking was heard of.
#[derive(Debug, Default)]
pub struct Times {
    /// By each watcher, of each booking.
    pub each_us: Vec<u32>,
    /// By the last watcher, of each booking.
    pub last_us: Vec<u32>,
}

impl AsRef<Round> for Rushed {
    fn as_ref(&self) -> &Round {
        &self.round
    }
}

/// Connected watchers of all stations, and people who book.
pub struct Rush {
    fleet: Fleet,
    endpoint: Endpoint,
    depot: Depot,
    watchers: Watchers,
    /// What a watcher was told of each command the first time.
    script: Vec<Vec<String>>,
}

impl Rush {
    /// Connects watchers, who show nothing, then those who book, then staff.
    pub fn gather(endpoint: Endpoint, depot: Depot, watchers: Watchers) -> Result<Self> {
        let mut fleet = Fleet::new()?;
        let address = endpoint.address;
        let is_bare = matches!(endpoint.publish, Publish::Order);
        for place in 0..depot.stations {
            let path = match is_bare {
                true => format!("{}{place}", bare::ROOM),
                false => bookings::path(depot.first_id + place as u64),
            };
            for _ in 0..watchers.each {
                fleet.join(address, Opening::Guest { path: &path })?;
            }
        }
        for _ in 0..watchers.all {
            fleet.join(address, Opening::Guest { path: bookings::ALL })?;
        }
        for token in depot.bookers.iter().map(|person| &*person.token).chain([&*depot.staff]) {
            match is_bare {
                true => fleet.join(address, Opening::Plain { path: bare::TELL, token: None })?,
                false => depot.connect(&mut fleet, address, token)?,
            };
        }
        let script = vec![Vec::new(); Command::ALL.len()];
        Ok(Self { fleet, endpoint, depot, watchers, script })
    }

    /// Reads what has come, so that heartbeats are answered while others are connected.
    pub fn attend(&mut self) -> Result<()> {
        self.fleet.quiesce(QUIET)
    }

    /// Fails unless what was told is, but for the numbers in it, what the document says, which is what the
    /// bare loop tells.
    pub fn check_script(&self) -> Result<()> {
        for (command, told) in Command::ALL.into_iter().zip(&self.script) {
            let shapes = |texts: &[String]| -> Vec<String> {
                texts.iter().map(|text| bookings::without_numbers(text)).collect()
            };
            let expected = command.told(self.depot.first_id);
            ensure!(
                shapes(told) == shapes(&expected),
                "{command:?} is told as {told:?}, and not as {expected:?}"
            );
        }
        Ok(())
    }

    /// Books `per_second` for so long, and waits until all that follows from it has come everywhere.
    pub fn book(&mut self, per_second: u32, time: Duration) -> Result<Rushed> {
        self.fleet.quiesce(QUIET)?;
        self.fleet.take_pings();
        let commits_before = self.commits()?;
        let before = CpuTime::of(self.endpoint.pid)?;

        let mut course = Course::new(self, per_second, time);
        let (mut progress, mut progressed) = (course.progress(), Instant::now());
        loop {
            let now = Instant::now();
            while let Some(ask) = course.ask(now) {
                self.send(&ask)?;
            }
            if course.is_done() {
                break;
            }
            let wait = course.next_due().map_or(QUIET, |due| due.saturating_duration_since(now));
            // A wait is whole milliseconds, rounded up.
            let wait = if wait < NAP { Duration::ZERO } else { wait - NAP };
            self.fleet.pump(wait, |heard| course.hear(&heard))?;
            if progress != course.progress() {
                (progress, progressed) = (course.progress(), now);
            }
            ensure!(now - progressed < SILENCE_LIMIT, "{}", course.missing());
        }
        let deadline = Instant::now() + QUIET;
        while Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            self.fleet.pump(left, |heard| course.hear(&heard))?;
        }
        course.check()?;
        let spent = CpuTime::of(self.endpoint.pid)?.since(&before);
        let commits = self.commits()? - commits_before;
        let (since_due, since_answer) = course.times();
        let round = Round {
            cpu_ns: spent.ns,
            deliveries: course.heard_in_all,
            // Of ten thousand connections they are some hundreds a second whatever is booked, and in the cost.
            heartbeats: 0,
            threads_ended: spent.threads_ended,
        };
        let commands = course.commands;
        self.script = course.script;
        Ok(Rushed { round, commands, commits, since_due, since_answer })
    }

    fn commits(&self) -> Result<u64> {
        match self.endpoint.publish {
            Publish::Order => Ok(0),
            _ => boards::commits(self.endpoint.address),
        }
    }

    fn send(&mut self, ask: &Ask) -> Result<()> {
        let station_id = self.depot.first_id + ask.place as u64;
        let frame = if matches!(self.endpoint.publish, Publish::Order) {
            let told = telling(ask.place as u32, &ask.command.told(station_id));
            frame::encode_client(frame::BINARY, &told)
        } else {
            let call = ask.command.call(ask.booking_id.unwrap_or(station_id));
            frame::encode_client(frame::TEXT, call.as_bytes())
        };
        self.fleet.send(ask.connection, &frame)
    }
}

/// Something to ask for.
#[derive(Debug)]
struct Ask {
    command: Command,
    place: usize,
    connection: usize,
    booking_id: Option<u64>,
}

struct Booking {
    place: usize,
    due: Instant,
    answered: Option<Instant>,
    booking_id: u64,
    /// When each watcher heard of it.
    arrivals: Vec<Instant>,
    /// Whether its end is due and only waits for the answer.
    is_to_end: bool,
}

/// What is going on in a round.
struct Course {
    is_bare: bool,
    first_id: u64,
    watchers: Watchers,
    /// The first connections of those who book, and how many they are; staff's is behind.
    bookers: (usize, usize),
    began: Instant,
    pace: Duration,
    wanted: usize,
    bookings: Vec<Booking>,
    /// By station: its booking that not all have heard of or that is not answered, and those that wait
    /// for that, since who hears of one could not tell which.
    open: Vec<Option<usize>>,
    waiting: Vec<VecDeque<usize>>,
    /// Bookings that can be made, as their stations have none open.
    free: VecDeque<usize>,
    /// Bookings that end, and stations that get a battery, with the time, the earliest first.
    ends: VecDeque<(Instant, usize)>,
    additions: VecDeque<(Instant, usize)>,
    /// Bookings whose end is due and which are answered.
    ready_ends: Vec<usize>,
    /// By connection behind the watchers: what was asked for and is not answered, with the booking.
    asked: Vec<VecDeque<(Command, usize)>>,
    outstanding: usize,
    commands: u64,
    /// Events that each watcher has heard, and all together.
    heard: Vec<u32>,
    heard_in_all: u64,
    /// By station: events that each watcher there has to hear.
    expected: Vec<u32>,
    expected_in_all: u64,
    script: Vec<Vec<String>>,
    /// An event that has another behind it, and which watcher was told.
    first_half: Option<(usize, String)>,
}

impl Course {
    fn new(rush: &Rush, per_second: u32, time: Duration) -> Self {
        let (stations, bookers) = (rush.depot.stations, rush.depot.bookers.len());
        let watching = stations * rush.watchers.each + rush.watchers.all;
        Self {
            is_bare: matches!(rush.endpoint.publish, Publish::Order),
            first_id: rush.depot.first_id,
            watchers: rush.watchers,
            bookers: (watching, bookers),
            began: Instant::now(),
            pace: Duration::from_secs(1) / per_second,
            wanted: (time.as_secs_f64() * f64::from(per_second)) as usize,
            bookings: Vec::new(),
            open: vec![None; stations],
            waiting: vec![VecDeque::new(); stations],
            free: VecDeque::new(),
            ends: VecDeque::new(),
            additions: VecDeque::new(),
            ready_ends: Vec::new(),
            asked: vec![VecDeque::new(); bookers + 1],
            outstanding: 0,
            commands: 0,
            heard: vec![0; watching],
            heard_in_all: 0,
            expected: vec![0; stations],
            expected_in_all: 0,
            script: rush.script.clone(),
            first_half: None,
        }
    }

    /// When the next booking is to be made, if there is one.
    fn next_booking(&self) -> Option<Instant> {
        let number = self.bookings.len();
        (number < self.wanted).then(|| self.began + self.pace * number as u32)
    }

    /// When something is due that does not wait for the server.
    fn next_due(&self) -> Option<Instant> {
        let end = self.ends.front().map(|(due, _)| *due);
        let addition = self.additions.front().map(|(due, _)| *due);
        [self.next_booking(), end, addition].into_iter().flatten().min()
    }

    /// What is to be asked for next, if that is by now.
    fn ask(&mut self, now: Instant) -> Option<Ask> {
        if let Some(due) = self.next_booking().filter(|due| *due <= now) {
            self.take_up(due);
        }
        if let Some(number) = self.free.pop_front() {
            let place = self.bookings[number].place;
            return Some(self.asked_for(Command::Book, place, number % self.bookers.1, number));
        }
        if let Some((due, number)) = self.ends.pop_front_if(|(due, _)| *due <= now) {
            if self.end_of(number) == Command::Collect {
                self.additions.push_back((due + HOLD, number));
            }
            match self.bookings[number].answered {
                Some(_) => self.ready_ends.push(number),
                None => self.bookings[number].is_to_end = true,
            }
        }
        if let Some(number) = self.ready_ends.pop() {
            let (command, place) = (self.end_of(number), self.bookings[number].place);
            return Some(self.asked_for(command, place, number % self.bookers.1, number));
        }
        let (_, number) = self.additions.pop_front_if(|(due, _)| *due <= now)?;
        let place = self.bookings[number].place;
        Some(self.asked_for(Command::Add, place, self.bookers.1, number))
    }

    /// What becomes of a booking: of every other one the same, and at each station in turn.
    fn end_of(&self, number: usize) -> Command {
        let stations = self.open.len();
        let turn = if stations.is_multiple_of(2) { number / stations } else { 0 };
        if (number + turn).is_multiple_of(2) { Command::Collect } else { Command::Cancel }
    }

    /// A booking is due: at a station that is far from the last, so that neighbours are not booked in turn.
    fn take_up(&mut self, due: Instant) {
        let number = self.bookings.len();
        let stations = self.open.len();
        let place = number * STRIDE % stations;
        let arrivals = Vec::with_capacity(self.watchers.each + self.watchers.all);
        let booking =
            Booking { place, due, answered: None, booking_id: 0, arrivals, is_to_end: false };
        self.bookings.push(booking);
        // Between two bookings.
        self.ends.push_back((due + HOLD + self.pace / 2, number));
        if self.open[place].is_some() {
            self.waiting[place].push_back(number);
        } else {
            self.open[place] = Some(number);
            self.free.push_back(number);
        }
    }

    fn asked_for(&mut self, command: Command, place: usize, who: usize, number: usize) -> Ask {
        self.asked[who].push_back((command, number));
        self.outstanding += 1;
        self.commands += 1;
        self.expected[place] += command.events();
        let watching = self.watchers.each + self.watchers.all;
        self.expected_in_all += u64::from(command.events()) * watching as u64;
        let booking_id = match command {
            Command::Collect | Command::Cancel => Some(self.bookings[number].booking_id),
            Command::Book | Command::Add => None,
        };
        Ask { command, place, connection: self.bookers.0 + who, booking_id }
    }

    fn hear(&mut self, heard: &Heard<'_>) -> Result<()> {
        let now = Instant::now();
        if heard.index >= self.bookers.0 {
            return self.hear_answer(heard, now);
        }
        let Some(told) = bookings::told(heard.text) else { return Ok(()) };
        let place = told.station_id.wrapping_sub(self.first_id) as usize;
        let is_meant = self.station_of(heard.index).is_none_or(|at| at == place);
        ensure!(
            is_meant && place < self.open.len(),
            "watcher {} heard of {}",
            heard.index,
            told.station_id
        );
        self.heard[heard.index] += 1;
        self.heard_in_all += 1;
        if self.script.iter().any(Vec::is_empty) {
            self.learn(told.done, heard);
        }
        if told.done == Some(Command::Book) {
            let number = self.open[place].context("heard of what nobody booked")?;
            self.bookings[number].arrivals.push(now);
            self.close(place, number);
        }
        Ok(())
    }

    /// By place, at which station a connection watches; `None`: at all.
    fn station_of(&self, watcher: usize) -> Option<usize> {
        let each = self.watchers.each;
        (watcher < self.open.len() * each).then(|| watcher / each)
    }

    fn hear_answer(&mut self, heard: &Heard<'_>, now: Instant) -> Result<()> {
        if !bookings::is_answer(heard.text)? {
            return Ok(());
        }
        let who = heard.index - self.bookers.0;
        let asked = self.asked[who].pop_front();
        let (command, number) = asked.context("an answer to nothing")?;
        self.outstanding -= 1;
        if command == Command::Book {
            let booking = &mut self.bookings[number];
            booking.answered = Some(now);
            if !self.is_bare {
                booking.booking_id = bookings::number_of(heard.text)?;
            }
            if booking.is_to_end {
                self.ready_ends.push(number);
            }
            self.close(self.bookings[number].place, number);
        }
        Ok(())
    }

    /// Lets the next at a station book if all have heard of this booking and it is answered.
    fn close(&mut self, place: usize, number: usize) {
        let booking = &self.bookings[number];
        let is_heard = booking.arrivals.len() == self.watchers.each + self.watchers.all;
        if is_heard && booking.answered.is_some() {
            self.open[place] = self.waiting[place].pop_front();
            self.free.extend(self.open[place]);
        }
    }

    /// Remembers what a watcher is told of a command for the first time.
    fn learn(&mut self, done: Option<Command>, heard: &Heard<'_>) {
        let text = String::from_utf8_lossy(heard.text).into_owned();
        let Some(command) = done else {
            self.first_half = Some((heard.index, text));
            return;
        };
        let first = self.first_half.take().filter(|(watcher, _)| *watcher == heard.index);
        let told = match (command.events(), first) {
            (1, _) => vec![text],
            (_, Some((_, first))) => vec![first, text],
            // What came between was another's.
            (_, None) => return,
        };
        if self.script[command as usize].is_empty() {
            self.script[command as usize] = told;
        }
    }

    fn is_done(&self) -> bool {
        self.next_due().is_none()
            && self.outstanding == 0
            && self.bookings.len() == self.wanted
            && self.ready_ends.is_empty()
            && self.free.is_empty()
            && self.open.iter().all(Option::is_none)
            && self.heard_in_all >= self.expected_in_all
    }

    fn progress(&self) -> (u64, usize, u64) {
        (self.commands, self.outstanding, self.heard_in_all)
    }

    fn missing(&self) -> String {
        format!(
            "after {SILENCE_LIMIT:?} without any, {} answers and {} deliveries are missing",
            self.outstanding,
            self.expected_in_all.saturating_sub(self.heard_in_all)
        )
    }

    /// Fails unless each watcher has heard all that there was to hear, once.
    fn check(&self) -> Result<()> {
        let everywhere: u32 = self.expected.iter().sum();
        for (watcher, heard) in self.heard.iter().enumerate() {
            let expected = self.station_of(watcher).map_or(everywhere, |at| self.expected[at]);
            ensure!(*heard == expected, "watcher {watcher} heard {heard} of {expected} events");
        }
        Ok(())
    }

    fn times(&self) -> (Times, Times) {
        let (mut since_due, mut since_answer) = (Times::default(), Times::default());
        for booking in &self.bookings {
            let answered = booking.answered.unwrap_or(booking.due);
            for (times, from) in [(&mut since_due, booking.due), (&mut since_answer, answered)] {
                let us = |at: &Instant| {
                    u32::try_from(at.saturating_duration_since(from).as_micros())
                        .unwrap_or(u32::MAX)
                };
                times.each_us.extend(booking.arrivals.iter().map(us));
                times.last_us.extend(booking.arrivals.iter().max().map(us));
            }
        }
        (since_due, since_answer)
    }
}

/// How far the next station is; it has no divisor in common with a round number.
const STRIDE: usize = 619;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::endpoint::Transport;
    use crate::people;

    fn floor(stations: usize, watchers: Watchers) -> Rush {
        let endpoint = Endpoint {
            address: bare::tests::serve(),
            pid: std::process::id(),
            publish: Publish::Order,
            dialect: Dialect::Plain,
            transport: Transport::WebSocket,
        };
        let bookers = people::made_up(1, 3).remove(0).members;
        let staff = String::new();
        let depot = Depot { quiet_id: 1, first_id: 2, stations, batteries: 1, staff, bookers };
        Rush::gather(endpoint, depot, watchers).unwrap()
    }

    #[test]
    fn all_watchers_hear_all_and_each_booking_is_timed() {
        for (stations, watchers) in [
            (1, Watchers { each: 2, all: 0 }),
            (3, Watchers { each: 0, all: 2 }),
            (4, Watchers { each: 3, all: 1 }),
        ] {
            let mut rush = floor(stations, watchers);
            for _ in 0..2 {
                let rushed = rush.book(1000, Duration::from_millis(40)).unwrap();
                let heard = watchers.each + watchers.all;
                // 40 bookings, 20 collected and as many cancelled, 20 batteries.
                assert_eq!(rushed.commands, 100);
                assert_eq!(rushed.round.deliveries, (80 + 40 + 20 + 40) * heard as u64);
                assert_eq!(rushed.since_due.last_us.len(), 40);
                assert_eq!(rushed.since_due.each_us.len(), 40 * heard);
                assert_eq!(rushed.since_answer.each_us.len(), 40 * heard);
            }
        }
    }

    #[test]
    fn what_was_told_is_checked() {
        let mut rush = floor(1, Watchers { each: 1, all: 0 });
        assert!(rush.check_script().is_err(), "nothing was told");
        rush.book(100, Duration::from_millis(40)).unwrap();
        rush.check_script().unwrap();
        rush.script[0].reverse();
        assert!(rush.check_script().is_err());
    }

    #[test]
    fn a_booking_that_has_to_wait_is_timed_from_when_it_was_due() {
        let rush = floor(1, Watchers { each: 1, all: 0 });
        let mut course = Course::new(&rush, 2, Duration::from_secs(1));
        let later = course.began + Duration::from_millis(500);
        assert!(course.ask(course.began).is_some());
        // The first is not answered: the second waits.
        assert!(course.ask(later).is_none());
        course.bookings[0].answered = Some(later);
        course.bookings[0].arrivals.push(later);
        course.close(0, 0);
        assert!(course.ask(later).is_some());
        let last = later + Duration::from_millis(7);
        course.bookings[1].arrivals.push(last);
        course.bookings[1].answered = Some(last + Duration::from_millis(1));
        let (since_due, since_answer) = course.times();
        assert_eq!(since_due.each_us, [500_000, 7_000]);
        assert_eq!(since_answer.last_us, [0, 0]);
    }
}
