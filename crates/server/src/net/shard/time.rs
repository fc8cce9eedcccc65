//! What time asks of a shard: heartbeats, deadlines, expiry, and the portions of a drain.

use std::sync::Arc;

use bellwire_services::{
    areas::pairing,
    kit::{Code, Fault, Micros, Role},
};
use bellwire_wire::{engine, frame, session, socketio};

use super::Shard;
use crate::{
    faults,
    hub::{LineId, SessionId},
    net::{
        conn::Speech,
        talk::{Stage, Talk},
    },
};

/// On drain, sessions are closed in at least so many portions, a portion every 50 ms,
const DRAIN_PORTIONS_MIN: usize = 20;
const DRAIN_PORTION_MS: u64 = 50;
/// of at most so many: who comes back elsewhere comes at 1,000 a second from each shard.
const DRAIN_PORTION_LEN: usize = 50;

/// How far a drain is.
pub(super) struct Drain {
    portions_left: usize,
    /// When the next portion is closed.
    pub next_ms: u64,
}

impl Drain {
    /// A drain of so many sessions that begins now. It takes half of `time_max_ms` at most; the rest is for
    /// the answers to what is closed.
    pub fn from(now_ms: u64, sessions: usize, time_max_ms: u64) -> Drain {
        let portions_max =
            usize::try_from(time_max_ms / 2 / DRAIN_PORTION_MS).unwrap_or(usize::MAX);
        let portions = sessions.div_ceil(DRAIN_PORTION_LEN).max(DRAIN_PORTIONS_MIN);
        Drain { portions_left: portions.min(portions_max).max(1), next_ms: now_ms }
    }

    /// Whether every session was told to end.
    pub fn is_done(&self) -> bool {
        self.portions_left == 0
    }
}

impl Shard {
    /// Puts a connection on the wheel, unless it comes up earlier anyway.
    pub(super) fn schedule(&mut self, line: LineId, at_ms: u64) {
        let due = at_ms.div_ceil(self.setup.tick_ms);
        let Shard { conns, wheel, .. } = self;
        if let Some(Some(conn)) = conns.get_mut(line.slot as usize)
            && (conn.due == 0 || due < conn.due)
        {
            conn.due = wheel.insert(line, due);
        }
    }

    /// Does what time asks for.
    pub(super) fn ticks(&mut self, now_ms: u64) {
        let now = now_ms / self.setup.tick_ms;
        while let Some((tick, lines)) = self.wheel.turn(now) {
            for line in lines {
                if self.conn(line).is_some_and(|conn| conn.due == tick) {
                    self.tick(line, now_ms);
                }
            }
            self.say_greetings(now_ms);
            self.hub.repeat();
            self.hub.find_stalled(now_ms);
            self.principals.retain(|_, principal| Arc::strong_count(principal) > 1);
            self.hub.flush(now_ms);
            self.needs(now_ms);
        }
        self.drain_portion(now_ms);
    }

    /// Looks at a connection whose time has come.
    fn tick(&mut self, line: LineId, now_ms: u64) {
        let Some(conn) = self.conn(line) else { return };
        conn.due = 0;
        let is_open = conn.wire.is_open();
        let next_ms = match &conn.speech {
            Speech::Engine(_) if is_open => self.tick_engine(line, now_ms),
            &Speech::Plain(id) if is_open => self.tick_plain(line, id, now_ms),
            &Speech::Probe { until_ms, .. } if is_open => {
                if until_ms <= now_ms {
                    self.drop_conn(line);
                }
                Some(until_ms)
            }
            _ => self.tick_wire(line, now_ms),
        };
        next_ms.into_iter().for_each(|next_ms| self.schedule(line, next_ms));
    }

    /// Asks WebSocket's own protocol what is due, and says when to look again, if at all.
    fn tick_wire(&mut self, line: LineId, now_ms: u64) -> Option<u64> {
        match self.conn(line)?.wire.tick(now_ms) {
            session::Tick::Nothing { next_ms } => Some(next_ms),
            session::Tick::Ping { frame, next_ms } => {
                self.hub.say(line, frame);
                Some(next_ms)
            }
            session::Tick::Dead => {
                self.drop_conn(line);
                None
            }
        }
    }

    fn tick_plain(&mut self, line: LineId, id: SessionId, now_ms: u64) -> Option<u64> {
        let silent_ms = match self.talk(id)?.stage {
            Stage::FirstMessage { until_ms } => Some(until_ms),
            _ => None,
        };
        if silent_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            let why = Fault::new(Code::Unauthenticated, "no credential came");
            self.end(line, Some(&why), now_ms);
            return None;
        }
        let expiry_ms = self.expire(line, &[id], now_ms)?;
        let revoked_ms = self.end_revoked(&[id], now_ms);
        let next_ms = self.tick_wire(line, now_ms)?;
        [silent_ms, expiry_ms, revoked_ms, Some(next_ms)].into_iter().flatten().min()
    }

    fn tick_engine(&mut self, line: LineId, now_ms: u64) -> Option<u64> {
        let timing = self.setup.engine.heartbeat;
        let engine = self.engine(line)?;
        let deadline_ms = engine.deadline_ms();
        let goodbye_ms = self.say_goodbyes(line, now_ms);
        let engine = self.engine(line)?;
        if deadline_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            self.violate(line, "what was awaited did not come in time", now_ms);
            return None;
        }
        let next_ms = match engine.heartbeat.tick(&timing, now_ms) {
            engine::Tick::Nothing { next_ms } => next_ms,
            engine::Tick::Ping { next_ms } => {
                self.hub.say(line, frame::text(engine::PING));
                next_ms
            }
            engine::Tick::Dead => {
                self.close(line, None, 1008, "ping timeout", now_ms);
                return None;
            }
        };
        let sessions = self.engine(line)?.seats.iter().filter_map(|seat| seat.session);
        let sessions: Vec<SessionId> = sessions.collect();
        let expiry_ms = self.expire(line, &sessions, now_ms)?;
        let revoked_ms = self.end_revoked(&sessions, now_ms);
        [deadline_ms, goodbye_ms, expiry_ms, revoked_ms, Some(next_ms)].into_iter().flatten().min()
    }

    /// Ends a connection if a credential of its sessions has expired; if not, says when one will.
    fn expire(&mut self, line: LineId, sessions: &[SessionId], now_ms: u64) -> Option<Option<u64>> {
        let wall = self.setup.clock.now();
        let expires = sessions
            .iter()
            .filter_map(|&id| Some((self.talk(id)?.principal.as_ref()?.expires_at?, id)))
            .min_by_key(|&(at, _)| at);
        let Some((at, id)) = expires else { return Some(None) };
        if at <= wall {
            let is_pairing =
                |talk: &Talk| talk.principal.as_ref().is_some_and(|who| who.role == Role::Pairing);
            if self.talk(id).is_some_and(|talk| is_pairing(talk)) {
                self.end_pairing(id, wall, now_ms);
                let others: Vec<_> =
                    sessions.iter().copied().filter(|other| *other != id).collect();
                return self.expire(line, &others, now_ms);
            }
            let why = Fault::new(Code::Unauthenticated, "token expired");
            let told = self.error_frame(id, None, &why);
            let (code, reason) = faults::close(why.code);
            self.close(line, told, code, reason, now_ms);
            return None;
        }
        Some(Some(now_ms + u64::try_from((at - wall) / 1_000).unwrap_or(0) + 1))
    }

    /// The time to pair a screen is over. One that is paired by then is only put out.
    fn end_pairing(&mut self, id: SessionId, wall: Micros, now_ms: u64) {
        if !self.talk(id).is_some_and(|talk| talk.handed) {
            return self.disconnect(id, &pairing::expired(wall), now_ms);
        }
        if let Some((line, path)) = self.put_out(id, now_ms) {
            self.hub.say(line, frame::text(&socketio::disconnect(path)));
            self.parted(line, now_ms);
        }
    }

    fn drain_portion(&mut self, now_ms: u64) {
        let Some(drain) = &self.drain else { return };
        if drain.is_done() || now_ms < drain.next_ms {
            return;
        }
        let portions = drain.portions_left;
        let open: Vec<LineId> =
            self.conns.iter().flatten().filter(|c| c.wire.is_open()).map(|c| c.line).collect();
        let portions_left = if open.is_empty() { 0 } else { portions - 1 };
        self.drain = Some(Drain { portions_left, next_ms: now_ms + DRAIN_PORTION_MS });
        for &line in open.iter().take(open.len().div_ceil(portions)) {
            self.end(line, None, now_ms);
        }
        self.hub.flush(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::Drain;

    #[test]
    fn a_drain_takes_a_second_or_as_long_as_a_thousand_a_second_take() {
        let check = |sessions, time_max_ms, portions| {
            let drain = Drain::from(0, sessions, time_max_ms);
            assert_eq!(drain.portions_left, portions, "{sessions} in {time_max_ms} ms");
        };
        check(0, 10_000, 20);
        check(1_000, 10_000, 20);
        check(1_001, 10_000, 21);
        check(4_000, 10_000, 80);
        check(1_000_000, 10_000, 100);
        check(1_000_000, 1_000, 10);
        check(10, 50, 1);
    }
}
