//! What holds for any bytes of a stranger that meet a server: a function for each fuzz target that needs one, which
//! panics if it does not. It is there in tests, which run the seeds in `fuzz/corpus` and what becomes of them by
//! chance, and in what fuzzers are built with (`--cfg fuzzing`).
//!
//! - [`calls`]: every call of every service, made by all kinds of callers.
//! - [`cursor`]: where a client says that it stopped.
//! - [`token`]: what a client shows to say who it is.
//! - [`upgrade`]: connections that speak HTTP, or something like it.
//! - `house`: the server that they meet, with something in it, and what of it nobody may hear.
//!
//! The protocols themselves are in `fuzz/src/wire.rs`.

mod calls;
mod cursor;
mod house;
mod token;
mod upgrade;

pub use calls::calls;
pub use cursor::cursor;
pub use token::token;
pub use upgrade::upgrade;

#[cfg(test)]
#[path = "../../../../fuzz/src/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::replay::{replay, seeds};

    #[test]
    fn calls() {
        let _cleared = super::calls::HOUSE.cleared();
        replay("calls", 1_500, super::calls);
    }

    #[test]
    fn cursor() {
        let _cleared = super::cursor::HOUSE.cleared();
        replay("cursor", 1_500, super::cursor);
    }

    #[test]
    fn token() {
        let _cleared = super::token::HOUSE.cleared();
        replay("token", 8_000, super::token);
    }

    #[test]
    fn upgrade() {
        let _cleared = super::upgrade::STREET.cleared();
        replay("upgrade", 3_500, super::upgrade);
    }

    /// Calls that are not granted here, since a password would have to be looked at.
    const NEVER_GRANTED: [&str; 2] = ["auth.login", "auth.password"];

    /// A call that no seed makes is found by no chance; nor is what lies behind a refusal.
    #[test]
    fn each_call_is_granted_to_a_seed() {
        let _cleared = super::calls::HOUSE.cleared();
        for (_, seed) in seeds("calls") {
            super::calls(&seed);
        }
        let granted = super::calls::GRANTED.lock().expect("nothing has failed").clone();
        let names = super::calls::HOUSE.door.calls();
        let refused = names.into_iter().filter(|name| !granted.contains(*name));
        assert_eq!(refused.collect::<Vec<_>>(), NEVER_GRANTED, "these no seed of calls is granted");
    }

    /// Seeds of connections come to what they are called.
    #[test]
    fn what_connections_are_answered() {
        let _cleared = super::upgrade::STREET.cleared();
        let seeds = seeds("upgrade");
        let check = |name: &str, expected: &[u16]| {
            let seed = seeds.iter().find(|(known, _)| known == name);
            super::upgrade(&seed.unwrap_or_else(|| panic!("no seed {name}")).1);
            assert_eq!(super::upgrade::statuses(), expected, "{name}");
        };
        check("handshake", &[101]);
        check("handshake-at-the-root", &[101]);
        check("handshake-version-12", &[426]);
        check("handshake-without-a-key", &[400]);
        check("handshake-with-a-body", &[400]);
        check("stream-of-no-number", &[404, 404]);
        check("engine-handshake", &[200]);
        check("engine-version-3", &[400]);
        check("rest-read", &[200]);
        check("rest-write", &[201]);
        check("rest-chunked", &[200]);
        check("two-requests", &[200, 200, 200]);
        check("host-missing", &[400]);
        check("rest-body-too-short", &[400]);
        check("long-line", &[414]);
    }
}
