//! The demo's stations: batteries to book, and a few that sample users have booked for as long as it takes.

use bellwire_services::{identity::UserId, kit::Code, stations};

use super::words;
use crate::door::Door;

/// Who has booked batteries, in turn.
const OWNERS: [UserId; 3] = [UserId(1), UserId(2), UserId(3)];

/// Adds the stations, if there are none. Where there is no room there are none.
///
/// # Errors
/// The store's.
pub async fn add_stations(door: &Door) -> anyhow::Result<()> {
    // A start does not write what is there.
    if !door.look(stations::is_empty).await.map_err(words)? {
        return Ok(());
    }
    match door.maintain(|tx, now| stations::add_samples(tx, now, &OWNERS)).await {
        Err(fault) if fault.code != Code::Full => Err(words(fault)),
        _ => Ok(()),
    }
}
