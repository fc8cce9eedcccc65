//! All services in use behind a network that fails in one way, or in all of them: what was acknowledged is there once,
//! and everybody heard all of it once, in one order.
//!
//! What fails depends on a seed; `BELLWIRE_TEST_NETWORK_SEED` names other ones.

use std::ops::Range;

use rustls::version;

use super::{Proxy, proxy::Done, weather::Weather};
use crate::{
    harness::{self, Canary, Server, Speaks, trusting},
    town::Town,
};

/// What is common: on loopback every way is short.
const MILD: Weather = Weather { ends_after_max: 6_000, ..Weather::CALM };
const SLOW: Weather = Weather { latency_ms: 20, jitter_ms: 60, ..MILD };
const DRIP: Weather = Weather { chunk_max: 1, ..MILD };
const PIECES: Weather = Weather { chunk_max: 40, jitter_ms: 2, ..MILD };
const CUTS: Weather = Weather { cut: 900, ..MILD };
const RESETS: Weather = Weather { reset: 900, ..MILD };
const SILENCES: Weather = Weather { silent: 200, ends_after_max: 1_500, ..MILD };
const SHUFFLED: Weather = Weather { held: 300, jitter_ms: 5, ..MILD };
/// Everything but wrong bytes.
const STORM: Weather = Weather {
    latency_ms: 2,
    jitter_ms: 20,
    chunk_max: 200,
    held: 100,
    cut: 300,
    reset: 300,
    silent: 30,
    ends_after_max: 3_000,
    ..MILD
};

/// The seeds of a test.
pub fn seeds() -> Range<u64> {
    harness::seeds("BELLWIRE_TEST_NETWORK_SEED", 1..3)
}

/// A town at work behind a proxy, until each writer got so many acknowledgements in each weather; then it settles.
#[track_caller]
fn check(weathers: &[Weather], acknowledged: usize, happened: impl Fn(&Done) -> bool) {
    let server = Server::start();
    let mut canary = Canary::new(&server);
    let mut town = Town::found(server.data(), server.address());
    for seed in seeds() {
        for weather in weathers {
            let proxy = Proxy::to(server.address(), *weather, seed);
            town.works(proxy.address(), |progress| {
                progress.acknowledged(acknowledged);
                canary.sings();
            });
            let done = proxy.done();
            assert!(happened(&done), "{weather:?} from {seed}: {done:?}");
        }
    }
    town.settles(server.address());
    canary.sings();
}

#[test]
fn where_everything_takes_long() {
    check(&[SLOW], 4, |done| done.chunks > 100);
}

#[test]
fn where_everything_comes_in_pieces_and_out_of_step() {
    check(&[DRIP, PIECES, SHUFFLED], 3, |done| done.chunks > 1_000 || done.held > 0);
}

#[test]
fn where_connections_end() {
    check(&[CUTS, RESETS], 8, |done| done.cuts + done.resets > 10);
}

#[test]
fn where_connections_go_silent() {
    check(&[SILENCES], 1, |done| done.silences > 0);
}

#[test]
fn where_all_of_that_happens() {
    check(&[STORM], 5, |done| done.cuts > 2 && done.resets > 0 && done.held > 0);
}

/// Whatever bit is wrong, over TLS the connection ends, and so nobody is told anything else.
#[test]
fn where_bits_are_wrong_and_tls_notices() {
    let server = Server::with_options(&["--listen", "https://127.0.0.1:0"]);
    let https = server.listener_that(Speaks::Https);
    let mut canary = Canary::new(&server);
    let tls = trusting(&server.data().join("tls/ca.pem"), &version::TLS13);
    let mut town = Town::found_over(server.data(), https, Some(tls));
    for seed in seeds() {
        let weather = Weather { flips: [300, 300], ..MILD };
        let proxy = Proxy::to(https, weather, seed);
        town.works(proxy.address(), |progress| {
            progress.acknowledged(6);
            canary.sings();
        });
        let done = proxy.done();
        assert!(done.flips > 5, "{seed}: {done:?}");
    }
    town.settles(https);
    canary.sings();
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
