//! The only place where the server reads a clock.

#![expect(clippy::disallowed_methods, reason = "this is where time comes from")]

use std::{
    sync::{Mutex, MutexGuard},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bellwire_store::change::Micros;

/// A wall clock that is further from where it should be was set, and not just corrected.
const STEP_MIN_MICROS: Micros = 10 * 1_000_000;
/// How long a clock that was put forward must have stood before anything is deleted for its age by it.
const SETTLED_MICROS: Micros = 3_600 * 1_000_000;
/// How long one must have stood before what ends by it is noted to have ended for good. A machine whose clock is wrong when
/// it starts asks others for the time within minutes.
const ENDED_MICROS: Micros = 600 * 1_000_000;
/// The most steps forward that are told apart; of more the last two count as one.
const STEPS_MAX: usize = 16;

/// Wall time that never goes back within a process: it advances by the monotonic clock and follows
/// corrections of the wall clock, forward at once, backward by going at half its pace.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// What was told last, and seen of the wall clock. A `Mutex`: a few callers per message, for nanoseconds each.
    told: Mutex<Told>,
}

/// What a clock was set by, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Forward.
    Forward(Micros),
    /// Backward.
    Backward(Micros),
}

#[derive(Debug)]
struct Told {
    /// The wall time told last.
    at: Micros,
    /// What the wall clock said then.
    wall: Micros,
    /// And the monotonic time.
    monotonic: Micros,
    /// Steps forward that have not stood for long: since when, by the monotonic clock, and by how much.
    steps: Vec<(Micros, Micros)>,
    /// The latest time that had stood for long enough to end by it, as of the last step.
    ended: Micros,
    /// What the log has not been told of, all in all.
    news: Option<Step>,
}

impl Told {
    /// Takes in what both clocks say.
    fn look(&mut self, monotonic: Micros, wall: Micros) {
        let passed = monotonic - self.monotonic;
        let expected = self.wall.saturating_add(passed);
        let step = wall.saturating_sub(expected);
        self.at = follow(self.at, passed, wall);
        (self.wall, self.monotonic) = (expected, monotonic);
        if step.saturating_abs() >= STEP_MIN_MICROS {
            self.ended = self.ended();
        }
        self.wall = wall;
        if step >= STEP_MIN_MICROS {
            self.forward(step);
            self.news = Some(Step::Forward(step));
        } else if step <= -STEP_MIN_MICROS {
            self.backward(step.saturating_neg());
            self.news = Some(Step::Backward(step.saturating_neg()));
        }
    }

    fn forward(&mut self, by: Micros) {
        if self.steps.len() == STEPS_MAX
            && let Some((since, last)) = self.steps.pop()
        {
            return self.steps.push((since.max(self.monotonic), last.saturating_add(by)));
        }
        self.steps.push((self.monotonic, by));
    }

    /// A step back takes steps forward back, the last one first.
    fn backward(&mut self, mut by: Micros) {
        while by > 0
            && let Some((_, last)) = self.steps.last_mut()
        {
            let taken = by.min(*last);
            (*last, by) = (*last - taken, by - taken);
            if *last > 0 {
                return;
            }
            self.steps.pop();
        }
    }

    fn settled(&mut self) -> Micros {
        let since = self.monotonic - SETTLED_MICROS;
        self.steps.retain(|(at, _)| *at > since);
        self.stood_for(SETTLED_MICROS)
    }

    /// The wall clock, without steps forward that have not stood for so long.
    fn stood_for(&self, time: Micros) -> Micros {
        self.wall.saturating_sub(self.ahead_of(time)).min(self.at)
    }

    /// How far it is put forward by steps that have not stood for so long.
    fn ahead_of(&self, time: Micros) -> Micros {
        let since = self.monotonic - time;
        let steps = self.steps.iter().filter(|(at, _)| *at > since);
        steps.fold(0, |sum: Micros, (_, by)| sum.saturating_add(*by))
    }

    /// Never goes back: what ended by a clock that stood has ended, also if it is set back in the next moment.
    fn ended(&self) -> Micros {
        self.ended.max(self.stood_for(ENDED_MICROS)).min(self.at)
    }
}

impl Clock {
    /// A clock that begins at the wall's time.
    pub fn new() -> Clock {
        let wall = wall();
        let told = Told { at: wall, wall, monotonic: 0, steps: Vec::new(), ended: 0, news: None };
        Clock { started: Instant::now(), told: Mutex::new(told) }
    }

    /// Says up to when the time had settled in the life before: what the clock is ahead of that may be a step.
    pub fn came_after(&self, settled: Micros) {
        let mut told = self.look();
        let ahead = told.at.saturating_sub(settled);
        if ahead >= STEP_MIN_MICROS {
            told.forward(ahead);
        }
    }

    /// Microseconds since the Unix epoch.
    pub fn now(&self) -> Micros {
        self.look().at
    }

    /// The time by which things are deleted for their age: that of a wall clock which was put forward counts once it has
    /// stood for an hour, so that a clock that was wrong for a moment costs nothing. Never after [`now`](Clock::now),
    /// and no later than the wall clock itself.
    pub fn settled(&self) -> Micros {
        self.look().settled()
    }

    /// How far the wall clock is ahead of [`settled`](Clock::settled), for the next start.
    pub fn ahead(&self) -> Micros {
        self.look().ahead_of(SETTLED_MICROS)
    }

    /// The time by which it is noted that something has ended, so that it stays so whatever the clock says later: that of a
    /// wall clock which was put forward counts once it has stood for ten minutes. One that is wrong for a moment, as at a
    /// machine's start, would end all tokens for good. Until then they are refused by [`now`](Clock::now), which does not
    /// go back.
    pub fn ended(&self) -> Micros {
        self.look().ended()
    }

    /// The last step of the wall clock since this was asked before, for the log.
    pub fn step(&self) -> Option<Step> {
        self.look().news.take()
    }

    /// Milliseconds since the clock was made, for intervals.
    pub fn elapsed_ms(&self) -> u64 {
        self.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn look(&self) -> MutexGuard<'_, Told> {
        let mut told = self.told.lock().expect("nobody panics under this lock");
        // Under the lock, so that it has not gone back since the last caller looked.
        let monotonic = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        told.look(monotonic, wall());
        told
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}

/// Up to when the times at which changes were made, in their order, are those of a clock that had stood: the last of
/// them, if the clock came to it step by step for an hour. A long rest looks like a step, and costs an hour of waiting.
/// Where they do not reach back an hour, it counts how far the clock was `ahead` when that was noted last.
pub fn settled_before(
    times: impl DoubleEndedIterator<Item = Micros>,
    ahead: Micros,
) -> Option<Micros> {
    let mut before = times.rev();
    let last = before.next()?;
    let hour_before = last.saturating_sub(SETTLED_MICROS);
    let settled = match before.find(|at| *at <= hour_before) {
        Some(earlier) => earlier.saturating_add(SETTLED_MICROS).min(last),
        None => last.saturating_sub(ahead),
    };
    Some(settled)
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
    use super::*;

    #[test]
    fn time_follows_the_wall_and_never_goes_back() {
        let check = |told, passed, wall, expected| assert_eq!(follow(told, passed, wall), expected);
        check(1_000, 10, 1_010, 1_010);
        check(1_000, 10, 9_000, 9_000);
        check(1_000, 10, 500, 1_005);
        check(1_000, 10, 1_007, 1_007);
        check(1_000, 0, 0, 1_000);
    }

    #[test]
    fn changes_tell_whether_the_clock_had_stood_before() {
        const MINUTE: Micros = 60 * 1_000_000;
        let check_ahead = |minutes: &[i64], ahead: i64, settled: Option<i64>| {
            let times = minutes.iter().map(|minute| minute * MINUTE);
            let told = settled_before(times, ahead * MINUTE);
            assert_eq!(told, settled.map(|at| at * MINUTE), "{minutes:?}");
        };
        let check = |minutes: &[i64], settled| check_ahead(minutes, 0, settled);
        check(&[], None);
        check(&[7], Some(7));
        check(&[0, 20, 40, 60, 80], Some(80));
        check(&[0, 20, 40, 60, 90_000], Some(120));
        check(&[0, 20, 40, 60, 90_000, 90_059], Some(120));
        check(&[0, 20, 40, 60, 90_000, 90_060], Some(90_060));
        // Set back: what was written ahead of it says nothing.
        check(&[0, 20, 40, 60, 90_000, 90_030, 100], Some(100));
        check(&[90_000, 0, 20, 90_060, 61], Some(60));
        // So much came since the clock was put forward that nothing is left from before.
        check_ahead(&[90_000, 90_020, 90_059], 89_000, Some(1_059));
        check_ahead(&[90_000, 90_020, 90_060], 89_000, Some(90_060));
        check_ahead(&[], 89_000, None);
    }

    /// Looks as (monotonic, wall) in seconds.
    fn looked(looks: &[(i64, i64)]) -> Told {
        let mut told =
            Told { at: 0, wall: 0, monotonic: 0, steps: Vec::new(), ended: 0, news: None };
        for (monotonic, wall) in looks {
            told.look(monotonic * 1_000_000, wall * 1_000_000);
        }
        told
    }

    /// What is settled after the last look.
    fn check(looks: &[(i64, i64)], settled: i64, news: Option<Step>) {
        let mut told = looked(looks);
        assert_eq!(told.settled(), settled * 1_000_000, "{looks:?}");
        let ahead = told.wall - told.ahead_of(SETTLED_MICROS);
        assert_eq!(ahead.min(told.at), settled * 1_000_000, "{looks:?}");
        assert_eq!(told.news, news, "{looks:?}");
    }

    #[test]
    fn a_step_forward_counts_for_what_is_deleted_once_it_has_stood() {
        let forward = |seconds: i64| Some(Step::Forward(seconds * 1_000_000));
        let backward = |seconds: i64| Some(Step::Backward(seconds * 1_000_000));
        const YEARS: i64 = 10 * 365 * 86_400;
        check(&[(5, 5)], 5, None);
        // Corrections are followed at once.
        check(&[(5, 14)], 14, None);
        check(&[(5, 4)], 4, None);
        check(&[(5, 5 + YEARS)], 5, forward(YEARS));
        check(&[(5, 5 + YEARS), (3_604, 3_604 + YEARS)], 3_604, forward(YEARS));
        check(&[(5, 5 + YEARS), (3_605, 3_605 + YEARS)], 3_605 + YEARS, forward(YEARS));
        // One after the other.
        check(&[(5, 105), (3_000, 4_100), (3_700, 4_800)], 3_800, forward(1_000));
        // There and back: what was true counts, whatever is told.
        check(&[(5, 5 + YEARS), (9, 9)], 9, backward(YEARS));
        check(&[(5, 5 + YEARS), (9, 9), (9_000, 9_000)], 9_000, backward(YEARS));
        // Back by more, and by less.
        check(&[(5, 105), (9, 19 - 10)], 9, backward(100));
        check(&[(500, 600), (509, 559)], 509, backward(50));
        check(&[(500, 600), (509, 409)], 409, backward(200));
        // Back alone: the wall is right, or will be.
        check(&[(500, 500), (509, 409)], 409, backward(100));
        // More steps than are told apart.
        let many: Vec<(i64, i64)> = (1..100).map(|n| (n, n + n * 60)).collect();
        check(&many, 99, forward(60));
    }

    #[test]
    fn a_step_forward_ends_nothing_for_good_before_it_has_stood() {
        const YEARS: i64 = 10 * 365 * 86_400;
        let check = |looks: &[(i64, i64)], ended: i64| {
            assert_eq!(looked(looks).ended(), ended * 1_000_000, "{looks:?}");
        };
        check(&[(5, 5)], 5);
        check(&[(5, 14)], 14);
        check(&[(5, 5 + YEARS)], 5);
        check(&[(5, 5 + YEARS), (604, 604 + YEARS)], 604);
        check(&[(5, 5 + YEARS), (605, 605 + YEARS)], 605 + YEARS);
        // There and back: nothing has ended by it.
        check(&[(5, 5 + YEARS), (9, 9)], 9);
        check(&[(5, 5 + YEARS), (9, 9), (9_000, 9_000)], 9_000);
        // Back: what had ended stays so, to the moment, and however often.
        check(&[(500, 500), (510, 410)], 505);
        check(&[(500, 500), (502, 400), (504, 300)], 501);
        check(&[(500, 500), (510, 410), (590, 490)], 505);
        check(&[(500, 500), (510, 410), (700, 600)], 600);
        check(&[(5, 5 + YEARS), (705, 705 + YEARS), (709, 709)], 707 + YEARS);
    }
}
