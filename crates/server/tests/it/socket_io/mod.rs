//! Socket.IO as no client should speak it, and the rights of those who do, over both transports.
//!
//! [`packets`] is about what is no packet, or none that may come now, [`calls`] about what events ask for,
//! [`bounds`] about how much and how often, [`waits`] about what the server waits for, and how long,
//! [`credentials`] about who is let in, [`rights`] about who hears what, [`losses`] about rights that end under
//! a connection, [`drains`] about servers that end, [`endings`] about ends that others must not feel, [`recovery`] about coming back.

mod bounds;
mod calls;
mod credentials;
mod drains;
mod endings;
mod losses;
mod packets;
mod recovery;
mod rights;
mod waits;

use std::fmt::Display;

pub use crate::areas::timeless;
use crate::harness::at;

/// How a session on `/` is told that its token was revoked, as [`timeless`] has it.
const REVOKED_ON_ROOT: &str =
    r#"42["error",{"error":"token revoked","code":"UNAUTHENTICATED","timestamp":"T"}]"#;

/// An event of home states as a namespace tells it.
fn heard(namespace: &str, entity_id: &str, state: impl Display) -> String {
    let at = at(namespace);
    format!(
        r#"42{at}["state_changed",{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{{}}}}}}]"#
    )
}

/// A command of the plain dialect, for a writer beside.
fn create(entity_id: &str, state: impl Display) -> String {
    format!(r#"{{"type":"states:create","entity_id":"{entity_id}","state":"{state}"}}"#)
}
