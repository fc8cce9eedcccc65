//! What Bellwire knows: its services, as values.
//!
//! A service is a table ([`kit::Service`]) of commands, queries, streams and migrations. The code
//! behind it decides inside a transaction and does nothing else: no I/O, no clock, no chance. Time,
//! identity and fresh ids come in with [`kit::Ctx`], so that a decision run twice decides the same.
//!
//! Adding a service is a `mod` line and an entry in [`all`].

pub mod acknowledgements;
pub mod areas;
pub mod chat;
pub mod identity;
pub mod kit;
pub mod live_sessions;
pub mod notifications;
pub mod sensors;
pub mod standing;
pub mod states;
pub mod stations;
#[cfg(test)]
mod testing;

use kit::{Fault, Principal, ReadTx, Role, Service, Topic, Words};

/// Every service of this server.
pub fn all() -> Vec<Service> {
    vec![
        kit::idempotency::service(),
        kit::due::service(),
        standing::service(),
        identity::service(),
        live_sessions::service(),
        acknowledgements::service(),
        states::service(),
        areas::service(),
        notifications::service(),
        sensors::service(),
        chat::service(),
        stations::service(),
    ]
}

/// All topics that a principal may hear now, over all services.
///
/// # Errors
/// The store's.
pub fn readable_topics(tx: &ReadTx<'_>, principal: &Principal) -> Result<Vec<Topic>, Fault> {
    let mut topics = states::rights::topics(tx, principal)?;
    topics.extend(areas::rights::topics(tx, principal)?);
    topics.extend(sensors::rights::topics(tx, principal)?);
    topics.extend(notifications::rights::topics(principal));
    topics.extend(chat::rights::topics(principal));
    topics.extend(stations::rights::topics(principal));
    Ok(topics)
}

/// Judges for whom a token is to be made, by the rules of all services.
///
/// # Errors
/// [`Code::Invalid`](kit::Code::Invalid) when a service forbids it.
pub fn check_subject(tx: &ReadTx<'_>, role: Role, subject: Option<&str>) -> Result<(), Fault> {
    areas::check_subject(tx, role, subject)
}

/// What the sessions of a token with this role are told last when an admin revokes it, if a service has words for it.
pub fn last_words(role: Role) -> Option<Words> {
    areas::last_words(role)
}

/// Judges a change of a token's rights, by the rules of all services.
///
/// # Errors
/// [`Code::Invalid`](kit::Code::Invalid) when a service forbids it.
pub fn check_change(old: &Principal, new: &Principal) -> Result<(), Fault> {
    states::rights::check_change(old, new)
}
