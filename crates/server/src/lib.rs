//! The Bellwire server: everything between a socket and the store.
//!
//! **The invariant.** One way through the house: bytes, session, door, transaction, log, hub,
//! bytes. Nothing is told before it is committed, and nobody is told what they may not know.
//!
//! | module | what is in it |
//! |---|---|
//! | [`app`] | puts a server together, runs it, drains it |
//! | [`door`] | the one door: finds the call, reads it, runs it in a transaction |
//! | [`etag`] | versions of what a GET shows |
//! | [`faults`] | what a fault is on the wire |
//! | [`audience`] | what a session listens to |
//! | [`opening`] | how a session gets its place: rights, snapshot, what it missed, in one transaction |
//! | [`sequencer`] | from the writer to the shards, in commit order |
//! | [`hub`] | topics to sessions, encode once, write directly |
//! | [`net`] | HTTP, upgrades, and the shards with their sockets |
//! | [`rest`] | HTTP from the services' tables |
//! | [`listeners`] | where a server listens, from the first connection to the last |
//! | [`credentials`] | tokens as text |
//! | [`accounts`] | the users that a server begins with |
//! | [`config`] | what an operator sets: file, environment, flags |
//! | [`logging`] | what is written on stderr, without secrets |
//! | [`supervisor`] | signals, and what systemd is told |
//! | [`control`] | the operator's way in while the server runs |
//! | [`backup`] | a data directory copied while it is served, put back, and checked |
//! | [`plain`] | opens files that are no links, pipes or devices |
//! | [`presence`] | which paired clients are connected |
//! | [`thinning`] | thinned streams: who listens, and what the readings of an interval came to |
//! | [`demo`] | a recording of a real home, replayed |
//! | [`housekeeping`] | what is forgotten, a slice at a time |
//! | [`timers`] | runs what is due |
//! | [`memory`] | how the allocator gives memory back |
//! | [`buckets`] | how much somebody may do in a time |
//! | [`contract`] | what clients are told, as TypeScript and AsyncAPI |
//! | `fuzzing` (tests and fuzzers only) | what holds for any bytes of a stranger, with a server behind them |
//! | [`metrics`], [`clock`] | what is measured, and time |

/// In tests, applies a seeded defect when the simulation asks for it; otherwise it is nothing.
#[cfg(test)]
macro_rules! mutant {
    ($name:ident => $defect:expr) => {
        if $crate::simulation::is_mutant($crate::simulation::Mutant::$name) {
            $defect;
        }
    };
}
#[cfg(not(test))]
macro_rules! mutant {
    ($name:ident => $defect:expr) => {};
}

pub mod accounts;
pub mod app;
pub mod audience;
pub mod backup;
pub mod buckets;
pub mod clock;
pub mod config;
pub mod console;
pub mod contract;
pub mod control;
pub mod credentials;
pub mod demo;
pub mod door;
pub mod etag;
pub mod faults;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod housekeeping;
pub mod hub;
pub mod listeners;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod net;
pub mod online;
pub mod opening;
pub mod plain;
pub mod presence;
pub mod rest;
pub mod sequencer;
pub mod signals;
#[cfg(test)]
mod simulation;
pub mod supervisor;
pub mod thinning;
pub mod timers;
