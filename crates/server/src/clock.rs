//! The only place where the server reads a clock.

#![expect(clippy::disallowed_methods, reason = "this is where time comes from")]

use std::{
    sync::Mutex,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bellwire_store::change::Micros;

/// Wall time that never goes back within a process: it advances by the monotonic clock and follows
/// corrections of the wall clock, forward at once, backward by going at half its pace.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// The wall time told last, and the monotonic time of that. A `Mutex`: a few callers per
    /// message, for nanoseconds each.
    told: Mutex<(Micros, Micros)>,
}

impl Clock {
    /// A clock that begins at the wall's time.
    pub fn new() -> Clock {
        Clock { started: Instant::now(), told: Mutex::new((wall(), 0)) }
    }

    /// Microseconds since the Unix epoch.
    pub fn now(&self) -> Micros {
        let mut told = self.told.lock().expect("nobody panics under this lock");
        // Under the lock, so that it has not gone back since the last caller looked.
        let monotonic = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        *told = (follow(told.0, monotonic - told.1, wall()), monotonic);
        told.0
    }

    /// Milliseconds since the clock was made, for intervals.
    pub fn elapsed_ms(&self) -> u64 {
        self.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}

fn wall() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// What to tell after `passed` microseconds when the wall says `wall`.
fn follow(told: Micros, passed: Micros, wall: Micros) -> Micros {
    if wall >= told + passed { wall } else { (told + passed / 2).max(wall) }
}

#[cfg(test)]
mod tests {
    use super::follow;

    #[test]
    fn time_follows_the_wall_and_never_goes_back() {
        let check = |told, passed, wall, expected| assert_eq!(follow(told, passed, wall), expected);
        check(1_000, 10, 1_010, 1_010);
        check(1_000, 10, 9_000, 9_000);
        check(1_000, 10, 500, 1_005);
        check(1_000, 10, 1_007, 1_007);
        check(1_000, 0, 0, 1_000);
    }
}
