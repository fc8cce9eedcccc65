//! Connections that ask, wait for the answer, and ask again: a closed loop.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::dialect::{self, Dialect, Operation};
use crate::fleet::{self, Fleet, Heard};
use crate::proc::CpuTime;
use crate::rounds::Round;
use crate::{frame, socketio};

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Silence before and after an exchange.
const QUIET: Duration = Duration::from_millis(20);

/// What counts as an answer.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// The request itself.
    Echo,
    /// The ack of a Socket.IO request, with the request's argument.
    Ack,
    /// The success of an operation. Everything else that a server sends is no answer.
    Reply(Operation),
    /// The success of an `areas.change`.
    Change,
}

/// When an exchange ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After this many requests of all connections together.
    Requests(u64),
    /// When this much time has passed.
    Elapsed(Duration),
}

/// Connected callers, each with the one request that it repeats.
pub struct Dialogue {
    fleet: Fleet,
    pid: u32,
    /// What each caller asks, as sent, and what it has to be answered.
    requests: Vec<(Vec<u8>, String)>,
    answer: Answer,
}

/// What came of an exchange.
#[derive(Debug)]
pub struct Exchange {
    /// What it cost the server.
    pub round: Round,
    /// From the first request to the last answer.
    pub wall: Duration,
    /// From each request to its answer, in microseconds, in no particular order.
    pub latencies_us: Vec<u32>,
    /// Events that the callers were sent besides.
    pub events: u64,
}

impl Dialogue {
    /// A dialogue on all connections of `fleet`, one of `requests` each, with process `pid`.
    pub fn new(fleet: Fleet, pid: u32, requests: Vec<String>, answer: Answer) -> Result<Self> {
        ensure!(requests.len() == fleet.len(), "one request for each connection is needed");
        let with_answer = |text: String| {
            let framed = frame::encode_client(frame::TEXT, text.as_bytes());
            let expected = match answer {
                Answer::Echo => text,
                Answer::Ack => socketio::ack_answer(&text)?,
                // Known by its name.
                Answer::Reply(_) | Answer::Change => String::new(),
            };
            Ok((framed, expected))
        };
        let requests = requests.into_iter().map(with_answer).collect::<Result<_>>()?;
        Ok(Self { fleet, pid, requests, answer })
    }

    /// Lets every caller ask, and ask again when it is answered, until it is enough.
    pub fn exchange(&mut self, until: Until) -> Result<Exchange> {
        self.fleet.quiesce(QUIET)?;
        self.fleet.take_pings();
        let before = CpuTime::of(self.pid)?;

        let mut talk = Talk::new(&self.requests, self.answer, until);
        for caller in 0..self.fleet.len() {
            if let Some(request) = talk.ask(caller) {
                self.fleet.send(caller, request)?;
            }
        }
        let mut last_answer = talk.began;
        while talk.outstanding > 0 {
            let answered = talk.latencies_us.len();
            self.fleet.pump(ANSWER_LIMIT, |heard| talk.hear(&heard))?;
            if talk.latencies_us.len() > answered {
                last_answer = Instant::now();
            }
            ensure!(
                last_answer.elapsed() < ANSWER_LIMIT,
                "{} requests have no answer after {ANSWER_LIMIT:?}",
                talk.outstanding
            );
        }
        let wall = last_answer - talk.began;
        let (latencies_us, events) = (talk.latencies_us, talk.events);

        self.fleet.quiesce(QUIET)?;
        let spent = CpuTime::of(self.pid)?.since(&before);
        Ok(Exchange {
            round: Round {
                cpu_ns: spent.ns,
                deliveries: latencies_us.len() as u64,
                heartbeats: self.fleet.take_pings(),
                threads_ended: spent.threads_ended,
            },
            wall,
            latencies_us,
            events,
        })
    }
}

/// An exchange that is going on.
struct Talk<'a> {
    requests: &'a [(Vec<u8>, String)],
    answer: Answer,
    until: Until,
    began: Instant,
    asked: u64,
    outstanding: usize,
    /// When each caller asked what is not answered yet.
    asked_at: Vec<Option<Instant>>,
    latencies_us: Vec<u32>,
    events: u64,
}

impl<'a> Talk<'a> {
    fn new(requests: &'a [(Vec<u8>, String)], answer: Answer, until: Until) -> Self {
        Self {
            requests,
            answer,
            until,
            began: Instant::now(),
            asked: 0,
            outstanding: 0,
            asked_at: vec![None; requests.len()],
            latencies_us: Vec::new(),
            events: 0,
        }
    }

    /// What `caller` is to send now; `None` once it is enough.
    fn ask(&mut self, caller: usize) -> Option<&'a [u8]> {
        let now = Instant::now();
        let enough = match self.until {
            Until::Requests(count) => self.asked >= count,
            Until::Elapsed(time) => now - self.began >= time,
        };
        if enough {
            return None;
        }
        self.asked += 1;
        self.outstanding += 1;
        self.asked_at[caller] = Some(now);
        Some(&self.requests[caller].0)
    }

    fn hear(&mut self, heard: &Heard<'_>) -> Result<()> {
        let is_answer = match self.answer {
            Answer::Echo => true,
            Answer::Ack => socketio::is_ack(heard.text),
            Answer::Reply(operation) => Dialect::Plain.is_reply(heard.text, operation)?,
            Answer::Change => dialect::is_change_reply(heard.text)?,
        };
        if !is_answer {
            self.events += u64::from(Dialect::Plain.is_event(heard.text));
            return Ok(());
        }
        let expected = self.requests[heard.index].1.as_bytes();
        ensure!(
            matches!(self.answer, Answer::Reply(_) | Answer::Change) || heard.text == expected,
            "what came back differs from what was sent"
        );
        let asked_at = self.asked_at[heard.index].take().context("an answer to nothing")?;
        let latency_us = asked_at.elapsed().as_micros();
        self.latencies_us.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
        self.outstanding -= 1;
        match self.ask(heard.index) {
            Some(request) => fleet::send(heard.stream, request),
            None => Ok(()),
        }
    }
}
