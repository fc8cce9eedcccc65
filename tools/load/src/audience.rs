//! One side of a fan-out: listeners, and the connection that makes events happen.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::bare::Order;
use crate::dialect;
use crate::endpoint::{Endpoint, Publish};
use crate::fleet::{Fleet, Heard};
use crate::frame;
use crate::proc::CpuTime;
use crate::rounds::Round;

/// How long all deliveries of one publication may take.
const DELIVERY_LIMIT: Duration = Duration::from_secs(15);
/// Silence before a round, and after one before its CPU time is read: what the server does in
/// the background because of a round belongs to that round.
const QUIET: Duration = Duration::from_millis(50);
/// How long to wait for every listener to be live, and for the answer to one probe of that.
const LIVE_LIMIT: Duration = Duration::from_secs(30);
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// Listeners of one server, and one publisher, all connected.
pub struct Audience {
    endpoint: Endpoint,
    fleet: Fleet,
    listeners: usize,
    publisher: usize,
    /// Events that each listener has heard in this round.
    heard: Vec<u64>,
    /// Payload length of the last event.
    event_len: usize,
    /// Events published ever: makes each one different.
    published: u64,
}

impl Audience {
    /// Connects `listeners` and a publisher, and waits until an event reaches them all.
    pub fn gather(endpoint: Endpoint, listeners: usize) -> Result<Self> {
        let mut fleet = Fleet::new()?;
        for _ in 0..listeners {
            endpoint.join_reader(&mut fleet)?;
        }
        let publisher = endpoint.join_writer(&mut fleet)?;
        let mut audience = Self {
            endpoint,
            fleet,
            listeners,
            publisher,
            heard: vec![0; listeners],
            event_len: dialect::EVENT_LEN,
            published: 0,
        };
        audience.wait_until_live()?;
        Ok(audience)
    }

    /// Payload length of the events that this server sends.
    pub fn event_len(&self) -> usize {
        self.event_len
    }

    /// Makes the bare loop send events of this length. Others decide for themselves.
    pub fn set_event_len(&mut self, len: usize) {
        self.event_len = len;
    }

    /// Reads what has come, so that heartbeats are answered while others are measured.
    pub fn attend(&mut self) -> Result<()> {
        self.fleet.quiesce(QUIET)
    }

    /// Waits until each listener has heard one event that somebody else published; fails if one has
    /// heard more.
    pub fn hear_one(&mut self) -> Result<()> {
        self.heard.fill(0);
        let mut missing = self.listeners;
        let deadline = Instant::now() + DELIVERY_LIMIT;
        while missing > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "{missing} deliveries were not made in {DELIVERY_LIMIT:?}");
            let endpoint = &self.endpoint;
            let (listeners, heard) = (self.listeners, &mut self.heard);
            self.fleet.pump(left, |Heard { index, text, .. }| {
                if index < listeners && endpoint.is_event(text) {
                    heard[index] += 1;
                    ensure!(heard[index] == 1, "listener {index} heard more than was said");
                    missing -= 1;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Publishes `ticks` times `copies` events, each time waiting until the publisher has its
    /// answer and every listener its events, and returns what that cost. A delivery is one event
    /// at one listener; without listeners, one publication.
    pub fn round(&mut self, ticks: u64, copies: u32) -> Result<Round> {
        self.fleet.quiesce(QUIET)?;
        self.fleet.take_pings();
        self.heard.fill(0);
        let before = CpuTime::of(self.endpoint.pid)?;
        for _ in 0..ticks {
            let missing = self.tick(copies, DELIVERY_LIMIT)?;
            ensure!(missing == 0, "{missing} deliveries were not made in {DELIVERY_LIMIT:?}");
        }
        self.listen_for_more()?;
        let spent = CpuTime::of(self.endpoint.pid)?.since(&before);

        let each = ticks * u64::from(copies);
        if let Some(listener) = self.heard.iter().position(|heard| *heard != each) {
            let heard = self.heard[listener];
            bail!("listener {listener} heard {heard} of {each} events");
        }
        Ok(Round {
            cpu_ns: spent.ns,
            deliveries: each * self.listeners.max(1) as u64,
            heartbeats: self.fleet.take_pings(),
            threads_ended: spent.threads_ended,
        })
    }

    /// Publishes `copies` events in one write and waits for all that follows from it; returns how
    /// many deliveries had not come when `limit` passed.
    fn tick(&mut self, copies: u32, limit: Duration) -> Result<u64> {
        let (frames, mut answers) = self.publication(copies);
        let mut events = self.listeners as u64 * u64::from(copies);
        self.fleet.send(self.publisher, &frames)?;
        let endpoint = &self.endpoint;
        let deadline = Instant::now() + limit;
        while events > 0 || answers > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                ensure!(answers == 0, "the publisher has no answer after {limit:?}");
                break;
            }
            let (publisher, heard, event_len) =
                (self.publisher, &mut self.heard, &mut self.event_len);
            self.fleet.pump(left, |message| {
                if message.index == publisher {
                    if endpoint.is_reply(message.text)? {
                        answers -= 1;
                    }
                } else if endpoint.is_event(message.text) {
                    heard[message.index] += 1;
                    *event_len = message.text.len();
                    events = events.saturating_sub(1);
                }
                Ok(())
            })?;
        }
        Ok(events)
    }

    /// The bytes that make `copies` events happen, and how many answers they bring.
    fn publication(&mut self, copies: u32) -> (Vec<u8>, u32) {
        match self.endpoint.publish {
            Publish::Order => {
                let order = Order { copies, payload_len: self.event_len as u32 };
                (frame::encode_client(frame::BINARY, &order.encode()), 1)
            }
            Publish::Never => unreachable!("an audience is gathered where events are published"),
            Publish::Create { .. } | Publish::Change(_) => {
                let mut frames = Vec::new();
                for _ in 0..copies {
                    self.published += 1;
                    let text = self.endpoint.publication(self.published);
                    frames.extend(frame::encode_client(frame::TEXT, text.as_bytes()));
                }
                (frames, copies)
            }
        }
    }

    /// Keeps counting for a while: an event too many would be as wrong as one too few.
    fn listen_for_more(&mut self) -> Result<()> {
        let deadline = Instant::now() + QUIET;
        let endpoint = &self.endpoint;
        while Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let listeners = self.listeners;
            let heard = &mut self.heard;
            self.fleet.pump(left, |Heard { index, text, .. }| {
                if index < listeners && endpoint.is_event(text) {
                    heard[index] += 1;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// A listener that has completed its handshake may not be in the server's lists yet.
    fn wait_until_live(&mut self) -> Result<()> {
        let deadline = Instant::now() + LIVE_LIMIT;
        while Instant::now() < deadline {
            self.heard.fill(0);
            let missing = self.tick(1, PROBE_LIMIT)?;
            if missing == 0 {
                return Ok(());
            }
            self.fleet.quiesce(QUIET)?;
        }
        let deaf = self.heard.iter().filter(|heard| **heard == 0).count();
        bail!("{deaf} listeners hear nothing after {LIVE_LIMIT:?}")
    }
}
