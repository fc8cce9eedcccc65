//! Servers to test, clients that talk to them, and the canary.
//!
//! | module | what is in it |
//! |---|---|
//! | `server` | [`Server`]: the program on a free port, with its data directory, ended with the test |
//! | `client` | [`Client`]: a blocking WebSocket client that can also send what no client should |
//! | `http` | [`Dial`] and [`Response`]: requests, upgrades among them, byte by byte |
//! | `rest` | [`Ask`]: requests of REST |
//! | `session` | [`Session`]: Engine.IO and Socket.IO by hand, over either transport, begun by a [`Handshake`] |
//! | `transport` | [`Transport`]: TCP, or TLS on it |
//! | `talk` | [`Talk`]: HTTP on a connection that is kept, read strictly |
//! | `said` | what stands in a text that a client is told, plain or over Socket.IO |
//! | `chance` | [`Chance`], and [`seeds`]: what chance does, from a seed; the services have it, too |
//! | `canary` | [`Canary`]: a healthy connection that shows that nobody else noticed |
//!
//! [`until`] waits for what only a look can tell, and a [`Bell`] tells threads of a test to end. Not here: what any
//! service means.

mod canary;
#[path = "../../../../services/src/testing.rs"]
mod chance;
mod client;
mod http;
mod rest;
mod said;
mod server;
mod session;
mod talk;
mod transport;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

pub use canary::Canary;
pub use chance::{Chance, number, seeds};
pub use client::{Client, Got, frame, masked, start_of_frame, text};
pub use http::{Dial, Response, read_response};
pub use rest::Ask;
pub use said::{answer_of, without_cursor};
pub use server::{Server, Speaks, Token, USER_PASSWORD, metric};
pub use session::{BAD, Handshake, Heard, Over, Session, UNKNOWN, at};
pub use talk::{Manner, Reply, Talk};
pub use transport::{Transport, secure, trusting};

/// How long anything may take that is bound to come. Far above what it takes, for slow machines.
pub const DEADLINE: Duration = Duration::from_secs(40);
/// Between two looks at what another process or thread does. Without a rest, looking takes the core
/// from what is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until something is so that nothing tells, at most for [`DEADLINE`].
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "{what}: not in {DEADLINE:?}");
        thread::park_timeout(LOOK_INTERVAL);
    }
}

/// Tells everybody who looks at it that it is enough: when this goes, also because the test fails.
pub struct Bell<'a>(pub &'a AtomicBool);

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Lets this process, and those that it starts, have as many descriptors as the system grants, which have to be so many:
/// this process and a server have a socket each for every connection between them.
pub fn raise_descriptors(least: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    setrlimit(Resource::Nofile, raised).expect("a limit can be raised to the one above it");
    let granted = maximum.unwrap_or(u64::MAX);
    assert!(granted >= least, "this test needs {least} descriptors, and {granted} are granted");
}
