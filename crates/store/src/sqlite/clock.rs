//! The one place of this crate that reads a clock.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The monotonic clock, for limits (2 ms a batch, 250 ms a command) and for measuring. What is
/// stored never depends on it: wall time comes in with each write.
#[expect(
    clippy::disallowed_methods,
    reason = "a time limit has to measure; nothing stored depends on it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time passed since `start`.
pub(crate) fn since(start: Instant) -> Duration {
    now().saturating_duration_since(start)
}

/// For how long a processor has worked for the calling thread. A system call: some 200 ns.
pub(crate) fn worked() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
