//! Faults of the machine under the real binary, with all services in use: a clock that jumps, a disk that fails or is
//! full, a process that stands still, descriptors that run out.
//!
//! | module | what is in it |
//! |---|---|
//! | `machine` | a machine that a test commands: its wall clock, and calls to its disk that fail |
//! | `descriptors` | none is left, and too few for a start |
//! | `disk` | the nth write or fsync fails |

mod descriptors;
mod disk;
mod machine;
