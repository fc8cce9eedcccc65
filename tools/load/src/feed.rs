//! Boards that post readings and post again when they are answered, and watchers that must hear each.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};

use crate::boards::{self, Board};
use crate::endpoint::Endpoint;
use crate::fleet::{Fleet, Heard};
use crate::frame;
use crate::opening::Opening;
use crate::proc::CpuTime;
use crate::readings::{self, WATCHED, Walk};

/// How long nothing at all may come.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// Silence before and after.
const QUIET: Duration = Duration::from_millis(20);

/// How boards post.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// How many do.
    pub devices: usize,
    /// Messages of each that are under way.
    pub under_way: usize,
    /// Readings of a message; with 1 it is no batch.
    pub batch: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Fed {
    /// Readings that were acknowledged.
    pub readings: u64,
    /// From the first message to the last answer.
    pub wall: Duration,
    /// From each message to its answer, in microseconds.
    pub latencies_us: Vec<u32>,
    /// CPU time of the server until all watchers had heard all.
    pub cpu_ns: u64,
    /// Transactions that the server committed.
    pub commits: u64,
}

/// Connected watchers, and behind them connected boards.
pub struct Feed {
    fleet: Fleet,
    watchers: usize,
    senders: Vec<Sender>,
    endpoint: Endpoint,
}

/// A board, as what it posts goes on.
struct Sender {
    board: Board,
    walk: Walk,
    /// The last time that it gave to a reading.
    upto_us: i64,
    next_id: u64,
}

impl Feed {
    /// Connects `watchers` who show `reader`, and the boards.
    pub fn new(
        endpoint: Endpoint,
        reader: &str,
        watchers: usize,
        boards: Vec<Board>,
    ) -> Result<Self> {
        let mut fleet = Fleet::new()?;
        for _ in 0..watchers {
            fleet.join(endpoint.address, Opening::Plain { path: WATCHED, token: Some(reader) })?;
        }
        for board in &boards {
            let (path, token) = (&*board.path(), Some(&*board.token));
            fleet.join(endpoint.address, Opening::Plain { path, token })?;
        }
        let sender = |board: Board| {
            let walk = Walk::new(board.sensor_id);
            Sender { board, walk, upto_us: 0, next_id: 1 }
        };
        let senders = boards.into_iter().map(sender).collect();
        Ok(Self { fleet, watchers, senders, endpoint })
    }

    /// Lets boards post for so long, and waits until all was answered and heard.
    pub fn run(&mut self, load: Load, time: Duration) -> Result<Fed> {
        ensure!(load.devices <= self.senders.len(), "there are not so many boards");
        self.fleet.quiesce(QUIET)?;
        let commits_before = boards::commits(self.endpoint.address)?;
        let cpu_before = CpuTime::of(self.endpoint.pid)?;

        let mut flow = Flow::new(load, self.watchers, time);
        let (mut progress, mut progressed) = ((0, 0), flow.began);
        loop {
            for (board, sender) in self.senders.iter_mut().enumerate().take(load.devices) {
                let messages = flow.ask(board, sender);
                if !messages.is_empty() {
                    self.fleet.send(self.watchers + board, &messages)?;
                }
            }
            if flow.is_done() {
                break;
            }
            self.fleet.pump(SILENCE_LIMIT, |heard| flow.hear(&heard))?;
            if progress != flow.progress() {
                (progress, progressed) = (flow.progress(), Instant::now());
            }
            ensure!(
                progressed.elapsed() < SILENCE_LIMIT,
                "after {SILENCE_LIMIT:?} without any, {} messages have no answer, {} updates were not heard",
                flow.outstanding,
                flow.unheard()
            );
        }
        self.fleet.quiesce(QUIET)?;
        let cpu_ns = CpuTime::of(self.endpoint.pid)?.since(&cpu_before).ns;
        let commits = boards::commits(self.endpoint.address)? - commits_before;
        flow.check()?;
        let wall = flow.last_answer - flow.began;
        Ok(Fed { readings: flow.posted, wall, latencies_us: flow.latencies_us, cpu_ns, commits })
    }
}

/// What is going on.
struct Flow {
    load: Load,
    watchers: usize,
    time: Duration,
    began: Instant,
    last_answer: Instant,
    /// When which message was sent that has no answer yet, by board, the oldest first.
    sent: Vec<VecDeque<(u64, Instant)>>,
    outstanding: u64,
    /// Readings that were posted.
    posted: u64,
    /// Updates that each watcher has heard.
    heard: Vec<u64>,
    /// Updates that boards have heard of themselves.
    echoed: u64,
    latencies_us: Vec<u32>,
}

impl Flow {
    fn new(load: Load, watchers: usize, time: Duration) -> Self {
        let began = Instant::now();
        Self {
            load,
            watchers,
            time,
            began,
            last_answer: began,
            sent: vec![VecDeque::new(); load.devices],
            outstanding: 0,
            posted: 0,
            heard: vec![0; watchers],
            echoed: 0,
            latencies_us: Vec::new(),
        }
    }

    /// What a board is to send now, framed; nothing once it is enough.
    fn ask(&mut self, board: usize, sender: &mut Sender) -> Vec<u8> {
        let mut messages = Vec::new();
        let now = Instant::now();
        if now - self.began >= self.time {
            return messages;
        }
        let sent = &mut self.sent[board];
        while sent.len() < self.load.under_way {
            let message = sender.message(self.load.batch);
            messages.extend(frame::encode_client(frame::TEXT, message.as_bytes()));
            sent.push_back((sender.next_id, now));
            sender.next_id += 1;
            self.outstanding += 1;
            self.posted += self.load.batch as u64;
        }
        messages
    }

    fn hear(&mut self, heard: &Heard<'_>) -> Result<()> {
        if let Some(count) = self.heard.get_mut(heard.index) {
            *count += u64::from(readings::is_update(heard.text));
            return Ok(());
        }
        let Some(id) = readings::answered(heard.text, self.load.batch)? else {
            self.echoed += u64::from(readings::is_update(heard.text));
            return Ok(());
        };
        let board = heard.index - self.watchers;
        let sent = self.sent.get_mut(board).and_then(VecDeque::pop_front);
        let (of, at) = sent.context("an answer to nothing")?;
        ensure!(of == id, "answers are not in order: {id} instead of {of}");
        self.last_answer = Instant::now();
        let latency_us = (self.last_answer - at).as_micros();
        self.latencies_us.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
        self.outstanding -= 1;
        Ok(())
    }

    fn progress(&self) -> (u64, u64) {
        (self.outstanding, self.unheard())
    }

    fn unheard(&self) -> u64 {
        let all = self.posted * (self.watchers as u64 + 1);
        all.saturating_sub(self.heard.iter().sum::<u64>() + self.echoed)
    }

    fn is_done(&self) -> bool {
        self.outstanding == 0 && self.unheard() == 0 && self.began.elapsed() >= self.time
    }

    /// Fails unless each has heard each reading once.
    fn check(&self) -> Result<()> {
        for (watcher, heard) in self.heard.iter().enumerate() {
            let posted = self.posted;
            ensure!(*heard == posted, "watcher {watcher} heard {heard} of {posted} readings");
        }
        ensure!(self.echoed == self.posted, "boards heard {} of {}", self.echoed, self.posted);
        Ok(())
    }
}

impl Sender {
    fn message(&mut self, batch: usize) -> String {
        if batch == 1 {
            return readings::single(self.next_id, self.board.sensor_id, &mut self.walk);
        }
        // What came together ends now, unless the last has not ended yet.
        let from_us = (now_us() - batch as i64).max(self.upto_us + 1);
        self.upto_us = from_us + batch as i64 - 1;
        readings::batch(self.next_id, self.board.sensor_id, &mut self.walk, from_us, batch)
    }
}

/// Microseconds since 1970.
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as i64
}
