//! The timer wheel of a shard: which connection is to be looked at in which tick, usually a second.

use crate::hub::LineId;

/// One turn of the wheel, in ticks. What is due later is looked at once a turn.
const TURN: u64 = 64;

/// One timer per line, exact to a tick.
#[derive(Debug)]
pub struct Wheel {
    slots: Vec<Vec<LineId>>,
    /// The tick that was looked at last.
    at: u64,
}

impl Wheel {
    /// A wheel that begins at this tick.
    pub fn new(now: u64) -> Wheel {
        Wheel { slots: (0..TURN).map(|_| Vec::new()).collect(), at: now }
    }

    /// Puts a line on the wheel; gives the tick in which it comes up, at the latest `due`.
    pub fn insert(&mut self, id: LineId, due: u64) -> u64 {
        let due = due.clamp(self.at + 1, self.at + TURN - 1);
        self.slots[(due % TURN) as usize].push(id);
        due
    }

    /// Goes to this tick at once; for a wheel with no line on it that lives.
    pub fn skip_to(&mut self, now: u64) {
        self.at = self.at.max(now);
    }

    /// The lines of the next tick that has come, if one has.
    pub fn turn(&mut self, now: u64) -> Option<(u64, Vec<LineId>)> {
        if self.at >= now {
            return None;
        }
        self.at += 1;
        Some((self.at, std::mem::take(&mut self.slots[(self.at % TURN) as usize])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_comes_up_once_and_never_late() {
        let mut wheel = Wheel::new(10);
        let dues = [0, 11, 12, 12, 60, 73, 500];
        for (slot, due) in dues.into_iter().enumerate() {
            wheel.insert(LineId { slot: slot as u32, serial: 0 }, due);
        }
        let mut seen = vec![None; dues.len()];
        while let Some((tick, ids)) = wheel.turn(200) {
            for id in ids {
                assert_eq!(seen[id.slot as usize].replace(tick), None, "twice");
            }
        }
        assert_eq!(seen, [11, 11, 12, 12, 60, 73, 73].map(Some));
        assert!(wheel.turn(200).is_none());
    }
}
