//! The timer wheel of a shard: who is to be looked at in which second.

use crate::hub::SessionId;

/// One turn of the wheel, in seconds. What is due later is looked at once a turn.
const TURN_S: u64 = 64;

/// One timer per session, exact to a second.
#[derive(Debug)]
pub struct Wheel {
    slots: Vec<Vec<SessionId>>,
    /// The second that was looked at last.
    at_s: u64,
}

impl Wheel {
    /// A wheel that begins at this second.
    pub fn new(now_s: u64) -> Wheel {
        Wheel { slots: (0..TURN_S).map(|_| Vec::new()).collect(), at_s: now_s }
    }

    /// Puts a session on the wheel; gives the second in which it comes up, at the latest `due_s`.
    pub fn insert(&mut self, id: SessionId, due_s: u64) -> u64 {
        let due_s = due_s.clamp(self.at_s + 1, self.at_s + TURN_S - 1);
        self.slots[(due_s % TURN_S) as usize].push(id);
        due_s
    }

    /// Goes to this second at once; for a wheel with no session on it that lives.
    pub fn skip_to(&mut self, now_s: u64) {
        self.at_s = self.at_s.max(now_s);
    }

    /// The sessions of the next second that has come, if one has.
    pub fn turn(&mut self, now_s: u64) -> Option<(u64, Vec<SessionId>)> {
        if self.at_s >= now_s {
            return None;
        }
        self.at_s += 1;
        Some((self.at_s, std::mem::take(&mut self.slots[(self.at_s % TURN_S) as usize])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_comes_up_once_and_never_late() {
        let mut wheel = Wheel::new(10);
        let dues = [0, 11, 12, 12, 60, 73, 500];
        for (slot, due_s) in dues.into_iter().enumerate() {
            wheel.insert(SessionId { slot: slot as u32, serial: 0 }, due_s);
        }
        let mut seen = vec![None; dues.len()];
        while let Some((second, ids)) = wheel.turn(200) {
            for id in ids {
                assert_eq!(seen[id.slot as usize].replace(second), None, "twice");
            }
        }
        assert_eq!(seen, [11, 11, 12, 12, 60, 73, 73].map(Some));
        assert!(wheel.turn(200).is_none());
    }
}
