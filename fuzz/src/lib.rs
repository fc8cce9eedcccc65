//! What the fuzz targets do with their input: one function each, which panics if something does not hold that is
//! promised for any bytes that a stranger sends.
//!
//! - [`wire`]: the protocols, bytes in and decisions out.
//! - `bellwire::fuzzing`: what needs a server. It is there in tests and for fuzzers alone (`--cfg fuzzing`).
//! - `replay.rs`: how tests run all of them, each with the files under `fuzz/corpus` and what becomes of them by chance.
//!   So what is found once and kept there stays found, without a fuzzer.

pub mod wire;

pub use bellwire::fuzzing::{calls, cursor, token, upgrade};
pub use wire::{engine, frame, json, socketio};
