//! What may become of a connection on its way, and the chance that decides it.

use crate::harness::Chance;

/// What a proxy does to the connections that it forwards. Every chance depends on the proxy's seed, on the number of
/// the connection and on the direction alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// How long everything takes at least, in milliseconds.
    pub latency_ms: usize,
    /// How much longer a chunk may take. It holds up those behind it.
    pub jitter_ms: usize,
    /// The longest piece that is passed on by one write; chance says how long each is. 0: as it came.
    pub chunk_max: usize,
    /// How many of 1,000 chunks wait until a chunk of another connection has passed.
    pub held: usize,
    /// How many of 1,000 connections are cut: both ends see the end of the stream.
    pub cut: usize,
    /// How many are reset: both ends are told by RST.
    pub reset: usize,
    /// How many go silent, in one direction or in both: nothing passes any more, and no end either.
    pub silent: usize,
    /// The bytes, of both directions together, after which those three happen, at most.
    pub ends_after_max: usize,
    /// How many of 1,000,000 bytes have one bit wrong, from who connected and to them.
    pub flips: [usize; 2],
}

impl Weather {
    /// Everything passes as it comes.
    pub const CALM: Weather = Weather {
        latency_ms: 0,
        jitter_ms: 0,
        chunk_max: 0,
        held: 0,
        cut: 0,
        reset: 0,
        silent: 0,
        ends_after_max: 0,
        flips: [0; 2],
    };
}

/// How a connection ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Both ends see the end of the stream.
    Cut,
    /// Both ends are told by RST.
    Reset,
    /// Nothing passes any more: from who connected, and to them.
    Silent([bool; 2]),
}

impl Weather {
    /// What becomes of a connection, and after how many bytes.
    pub fn fate(&self, chance: &mut Chance) -> Option<(u64, Fate)> {
        let drawn = chance.below(1_000);
        let after = chance.below(self.ends_after_max.max(1)) as u64 + 1;
        let silent = [[true, true], [true, false], [false, true]][chance.below(3)];
        let mut bound = 0;
        let fates =
            [(self.cut, Fate::Cut), (self.reset, Fate::Reset), (self.silent, Fate::Silent(silent))];
        let fate = fates.into_iter().find(|(share, _)| {
            bound += share;
            drawn < bound
        });
        fate.map(|(_, fate)| (after, fate))
    }

    /// How many bytes of this direction pass before the next one is wrong.
    pub fn until_flip(&self, direction: usize, chance: &mut Chance) -> Option<u64> {
        let flips = self.flips[direction];
        (flips > 0).then(|| chance.below((2_000_000 / flips).max(1)) as u64)
    }
}

/// The chance of a part of what has this seed.
pub fn part(seed: u64, part: u64) -> Chance {
    let mut chance = Chance(seed.wrapping_add((part + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    Chance(chance.seed())
}
