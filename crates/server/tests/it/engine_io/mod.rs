//! Engine.IO as no client should speak it, over both transports, beside a canary.
//!
//! [`refusals`] is about requests without a session and how one begins, [`bodies`] about what polls bring,
//! [`upgrades`] about the change of transport, [`endings`] about how sessions end, [`pages`] about who
//! may read the answers.

mod bodies;
mod endings;
mod pages;
mod refusals;
mod upgrades;

use crate::{
    harness::{Handshake, Over, Session},
    process::{ANY_PORT, Process, bellwire},
};

/// A server that sends back what it is sent, with further options.
fn echo(options: &[&str]) -> Process {
    let mut program = bellwire();
    program.args(["conformance-server", "--listen", ANY_PORT]).args(options);
    Process::run(program)
}

/// A session there.
#[track_caller]
fn open(server: &Process, over: Over) -> Session {
    Handshake::new(server.address(), "/engine.io/").open(over)
}

/// It still gets back what it sends.
#[track_caller]
fn lives(session: &mut Session) {
    session.send("4still here");
    session.hears("4still here");
}
