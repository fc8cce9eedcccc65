//! Home states: a history of rows per entity, and who may read and write it. docs/protocol.md has the
//! frames.
//!
//! - `create` adds a row and always announces; `get` answers the newest row; `update` changes a
//!   row and is silent when nothing changes; `delete` takes a row away. Changing or deleting a row
//!   that is not the newest announces the unchanged newest state; deleting the newest exposes the
//!   one before, or `null` when none is left. `remove` takes the whole entity away, with one event.
//! - `last_changed` moves when the entity's `state` changes, `last_updated` on every change.
//! - Absent and forbidden answer alike: nobody learns of what they may not read.
//! - History is kept ten days; an entity's newest row is never pruned.
//! - A sensor is an entity too: it is read, listed and heard like the others, and changed by its readings alone.
//!   Its row has the sensor's number, negative, as its id, by which nothing can be asked.

mod contract;
mod decide;
mod dialect;
mod list;
mod names;
mod read;
pub mod retention;
pub mod rights;
mod sql;

pub use contract::{
    Attributes, CreateState, DeleteState, EntityId, RemoveEntity, State, StateText, UpdateState,
};

use bellwire_store::tx::Value;

use serde_json::value::RawValue;

use crate::kit::{Access, Event, Fault, ReadTx, Refused, Route, Service, Spelling};

/// How many entities one connection may pick.
pub const ENTITIES_MAX: usize = 1_000;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE states (
        state_id INTEGER PRIMARY KEY,
        entity_id TEXT NOT NULL,
        state TEXT NOT NULL,
        attributes TEXT NOT NULL,
        last_changed INTEGER NOT NULL,
        last_updated INTEGER NOT NULL
    );
    CREATE INDEX states_by_entity ON states (entity_id, state_id);
"];

const HISTORY: &str = "/api/states/{entity_id}/history?from&to&limit:int&cursor";

/// What this service offers.
pub fn service() -> Service {
    Service::new("states", MIGRATIONS, sql::STATEMENTS)
        .command("states:create", Access::Caller, decide::create)
        .command("states:update", Access::Caller, decide::update)
        .command("states:delete", Access::Caller, decide::delete)
        .command("states:remove", Access::Caller, decide::remove)
        .query("states:get", Access::Caller, read::newest)
        .query("states:row", Access::Caller, read::by_id)
        .query("states:list", Access::Caller, list::list)
        .query("states:history", Access::Caller, list::history)
        .rest("states:list", Route::get("/api/states?limit:int&cursor"))
        .rest("states:get", Route::get("/api/states/{entity_id}"))
        .rest("states:create", Route::post("/api/states/{entity_id}"))
        .rest("states:remove", Route::delete("/api/states/{entity_id}"))
        .rest("states:history", Route::get(HISTORY))
        .rest("states:row", Route::get("/api/states/by-id/{state_id:int}"))
        .rest("states:update", Route::patch("/api/states/by-id/{state_id:int}"))
        .rest("states:delete", Route::delete("/api/states/by-id/{state_id:int}"))
        .event::<contract::StateChanged>("state_changed", Spelling::Nested)
        .answers::<contract::StatesSnapshot>("states:snapshot")
        .answers::<Refused>("error")
        .topics(rights::TOPICS)
        .stream("/api/ws", dialect::DIALECT, Access::Caller, rights::topics)
        .still(rights::still)
        .namespace("/states", names::ALL, |_| false)
        .subscription("subscribe_entities", read::subscribe)
        .names(names::named)
}

/// Whether there is a state of this entity.
///
/// # Errors
/// The store's.
pub fn exists(tx: &ReadTx<'_>, entity_id: &EntityId) -> Result<bool, Fault> {
    Ok(tx.one(sql::NEWEST, &[Value::Text(entity_id.as_str())], |_| ())?.is_some())
}

/// The announcement that an entity which another service keeps has another state, or is no more.
///
/// # Errors
/// The store's.
pub fn changed(
    tx: &ReadTx<'_>,
    entity_id: &EntityId,
    newest: Option<(&str, &RawValue)>,
) -> Result<Event, Fault> {
    contract::state_changed(tx, entity_id, newest)
}

/// Whether there is no state at all.
///
/// # Errors
/// The store's.
pub fn is_empty(tx: &ReadTx<'_>) -> Result<bool, Fault> {
    let first = tx.one(sql::NEXT_ENTITY, &[Value::Text("")], |_| ())?;
    Ok(first.is_none())
}
