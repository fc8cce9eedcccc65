//! The whole crate from outside: bytes in, decisions out.
//!
//! Tables of rows with one `check` per family; where the space of inputs is the point, properties
//! over random ones.

mod corpus;
mod engine;
mod frames;
mod json;
mod plain;
mod session;
mod socketio;
mod socketio_properties;
mod socketio_writing;
mod streams;
mod writing;

use proptest::prelude::ProptestConfig;

/// How many random inputs a property sees. A failing one prints its smallest input.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
