//! Whether a session's client still lives. In this revision the server pings.

use super::Timing;

/// When a session last pinged and was last heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// When a ping was last sent; at first, when the session opened.
    pinged_ms: u64,
    /// When a packet last came; at first, when the session opened.
    heard_ms: u64,
}

/// What time asks of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Nothing before `next_ms`.
    Nothing {
        /// When to ask again, at the latest.
        next_ms: u64,
    },
    /// Send the packet `2`.
    Ping {
        /// When to ask again, at the latest.
        next_ms: u64,
    },
    /// Nothing followed a ping in time: the session is over.
    Dead,
}

impl Heartbeat {
    /// The heartbeat of a session that opens at `now_ms`.
    pub fn new(now_ms: u64) -> Heartbeat {
        Heartbeat { pinged_ms: now_ms, heard_ms: now_ms }
    }

    /// A packet came: any is as good a sign of life as the pong.
    pub fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    /// What is due at `now_ms`. Asking early is harmless; asking late delays what was due.
    ///
    /// A ping follows the last one, or the opening, after the interval; while one is unanswered no
    /// further one is sent.
    pub fn tick(&mut self, timing: &Timing, now_ms: u64) -> Tick {
        let ping_ms = self.pinged_ms.saturating_add(timing.ping_interval_ms);
        // What comes within the millisecond of a ping counts as its answer, since clocks are no
        // finer. If it came before the ping, the end is noticed one ping later.
        let is_answered = self.heard_ms >= self.pinged_ms;
        if !is_answered {
            let dead_ms = self.pinged_ms.saturating_add(timing.ping_timeout_ms);
            return match now_ms < dead_ms {
                true if now_ms < ping_ms => Tick::Nothing { next_ms: dead_ms.min(ping_ms) },
                true => Tick::Nothing { next_ms: dead_ms },
                false => Tick::Dead,
            };
        }
        if now_ms < ping_ms {
            return Tick::Nothing { next_ms: ping_ms };
        }
        self.pinged_ms = now_ms;
        let soonest_ms = timing.ping_interval_ms.min(timing.ping_timeout_ms);
        Tick::Ping { next_ms: now_ms.saturating_add(soonest_ms) }
    }
}
