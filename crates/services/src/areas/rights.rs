//! Who hears of what, and which states paired clients may read.
//!
//! | topic | who holds it | what it carries |
//! |---|---|---|
//! | `areas` | admins | every event of this service |
//! | `client/client_7` | that client | what is for it alone: areas that it gets and loses |
//! | `holders/area_12` | clients that have the area | what happens to the area |
//! | `area/area_12` | the same, where they listen to states | states of the entities in it, while it is enabled |
//!
//! So editing or disabling an area touches no session; only assigning it does.

use bellwire_store::tx::Value;

use super::{
    contract::{AreaId, ClientId},
    sql,
};
use crate::{
    kit::{Fault, Principal, ReadTx, Role, Topic},
    states::EntityId,
};

/// What admins hear; and the name by which clients ask for what they may hear of this service.
pub const ALL: &str = "areas";
/// What the topics begin with that are heard on this service's streams.
pub const TOPICS: &[&str] = &[ALL, "client", "holders"];

/// What is for one client alone.
pub(super) fn client(id: ClientId) -> Topic {
    Topic::Owned(format!("client/{id}"))
}

/// What happens to an area, for those who have it.
pub(super) fn holders(id: AreaId) -> Topic {
    Topic::Owned(format!("holders/{id}"))
}

/// States of the entities in an area.
pub(super) fn states_in(id: AreaId) -> Topic {
    Topic::Owned(format!("area/{id}"))
}

/// All that having an area means.
pub(super) fn of_area(id: AreaId) -> [Topic; 2] {
    [holders(id), states_in(id)]
}

/// The paired client that calls, if it is one.
pub fn caller(principal: &Principal) -> Option<ClientId> {
    let subject = principal.subject.as_deref().filter(|_| principal.role == Role::Client);
    subject.and_then(ClientId::parse)
}

/// The topics of this service's streams that a principal may hear.
///
/// # Errors
/// The store's.
pub fn topics(tx: &ReadTx<'_>, principal: &Principal) -> Result<Vec<Topic>, Fault> {
    if matches!(principal.role, Role::Admin | Role::System) {
        return Ok(vec![Topic::Borrowed(ALL)]);
    }
    let Some(id) = caller(principal) else { return Ok(Vec::new()) };
    let areas = assigned(tx, id)?;
    Ok(std::iter::once(client(id)).chain(areas.into_iter().map(holders)).collect())
}

/// The topics of states that a principal may hear by its areas: of none of them while it is disabled.
///
/// # Errors
/// The store's.
pub fn topics_of_states(tx: &ReadTx<'_>, principal: &Principal) -> Result<Vec<Topic>, Fault> {
    let Some(id) = caller(principal) else { return Ok(Vec::new()) };
    Ok(assigned(tx, id)?.into_iter().map(states_in).collect())
}

/// The topics that a state of this entity is told on, beside those of states.
///
/// # Errors
/// The store's.
pub fn topics_with(tx: &ReadTx<'_>, entity_id: &EntityId) -> Result<Vec<Topic>, Fault> {
    tx.all(sql::ENABLED_WITH, &[Value::Text(entity_id.as_str())], |row| {
        states_in(AreaId(row.integer(0)))
    })
}

/// Whether a principal may read an entity by an area of its own that is enabled.
///
/// # Errors
/// The store's.
pub fn reads(tx: &ReadTx<'_>, principal: &Principal, entity_id: &EntityId) -> Result<bool, Fault> {
    let Some(id) = caller(principal) else { return Ok(false) };
    let place = [Value::Text(entity_id.as_str()), id.value()];
    Ok(tx.one(sql::READS, &place, |_| ())?.is_some())
}

/// The entities that a principal may read by its areas, by id: at most so many, after this one.
///
/// # Errors
/// The store's.
pub fn readable(
    tx: &ReadTx<'_>,
    principal: &Principal,
    after: &str,
    most: i64,
) -> Result<Vec<EntityId>, Fault> {
    let Some(id) = caller(principal) else { return Ok(Vec::new()) };
    let place = [id.value(), Value::Text(after), Value::Integer(most)];
    tx.all(sql::READABLE, &place, |row| {
        EntityId::parse(row.text_ref(0)).expect("only entity ids are stored")
    })
}

/// The areas that a client has, by id.
pub(super) fn assigned(tx: &ReadTx<'_>, id: ClientId) -> Result<Vec<AreaId>, Fault> {
    tx.all(sql::ASSIGNED, &[id.value()], |row| AreaId(row.integer(0)))
}
