//! Faults of the machine under the real binary, with all services in use: a clock that jumps, a disk that fails or is
//! full, a process that stands still, descriptors that run out.
//!
//! | module | what is in it |
//! |---|---|
//! | `machine` | [`Machine`]: a machine that a test commands: its clocks, and calls to its disk that fail |
//! | `clock` | steps of hours and years, while it works and between two starts |
//! | `disk` | the nth write or fsync fails |
//! | `room` | no room on the disk, and room again |
//! | `stopped` | SIGSTOP, and SIGCONT |
//! | `due` | what is due at a time, and how often it was told |
//! | `descriptors` | none is left, and too few for a start |

mod clock;
mod descriptors;
mod disk;
mod due;
mod machine;
mod room;
mod stopped;

pub use machine::Machine;
