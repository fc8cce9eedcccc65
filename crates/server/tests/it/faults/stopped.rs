//! A server that stands still: stopped for longer than its clients wait, and going on as if nothing had been.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{due::Due, machine::Machine};
use crate::{
    harness::until,
    process::{ANY_PORT, Process},
    town::Town,
};

/// Shorter than anybody's patience, and longer.
const STOPS: [Duration; 2] = [Duration::from_millis(1_500), Duration::from_millis(7_500)];
/// What is due while it stands still: the end of a hold and the silence of a device, in seconds.
const DUE_S: u64 = 1;

#[test]
fn a_server_that_was_stopped_goes_on_and_nobody_misses_anything() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let server = Process::serve(folder.path(), ANY_PORT, &[]);
    let machine = Machine::new();
    let mut due = Due::new(&machine, DUE_S, DUE_S);
    let address = server.address();
    let mut town = Town::found(folder.path(), address);
    town.works(address, |progress| {
        for (round, stop) in (1..).zip(STOPS) {
            progress.acknowledged(2);
            due.begins();
            [&server, &due.server].into_iter().for_each(|server| server.signal(Signal::STOP));
            let began = Instant::now();
            until("it has stood for long enough", || began.elapsed() >= stop);
            [&server, &due.server].into_iter().for_each(|server| server.signal(Signal::CONT));
            due.is_told(round);
            let heard = progress.heard();
            progress.acknowledged(2);
            until("listeners hear on", || progress.heard() > heard);
        }
    });
    town.settles(address);
    due.is_told(STOPS.len());
    for server in [&server, &due.server] {
        assert!(!server.log().contains(r#""level":"ERROR""#), "{}", server.log());
    }
    server.stop();
}
