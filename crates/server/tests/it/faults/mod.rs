//! Faults of the machine under the real binary, with all services in use: a clock that jumps, a disk that fails or is
//! full, a process that stands still, descriptors that run out.
//!
//! | module | what is in it |
//! |---|---|
//! | `descriptors` | none is left, and too few for a start |

mod descriptors;
