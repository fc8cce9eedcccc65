//! Home states (document 000): an append log of rows per entity, and who may read and write it.
//!
//! - `create` adds a row and always announces; `get` answers the newest row; `update` changes a
//!   row and is silent when nothing changes; `delete` takes a row away. Changing or deleting a row
//!   that is not the newest announces the unchanged newest state; deleting the newest exposes the
//!   one before, or `null` when none is left. `remove` takes the whole entity away, with one event.
//! - `last_changed` moves when the entity's `state` changes, `last_updated` on every change.
//! - Absent and forbidden answer alike: nobody learns what he may not read.
//! - History is kept ten days; an entity's newest row is never pruned.

mod contract;
mod decide;
mod dialect;
mod read;
pub mod retention;
pub mod rights;
mod sql;

pub use contract::{
    Attributes, CreateState, DeleteState, EntityId, RemoveEntity, State, StateText, UpdateState,
};

use jiff::Timestamp;

use crate::kit::{Access, Micros, Service, Spelling};

/// How many entities one connection may pick.
pub const ENTITIES_MAX: usize = 1_000;
/// The largest snapshot, in bytes of frame text: what an outbound queue holds.
pub const SNAPSHOT_LEN_MAX: usize = 1 << 20;

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
    CREATE INDEX states_by_age ON states (last_updated, state_id);
"];

/// What this service offers.
pub fn service() -> Service {
    Service::new("states", MIGRATIONS, sql::STATEMENTS)
        .command("states:create", Access::Socket, decide::create)
        .command("states:update", Access::Socket, decide::update)
        .command("states:delete", Access::Socket, decide::delete)
        .command("states:remove", Access::Operator, decide::remove)
        .query("states:get", Access::Socket, read::newest)
        .event("state_changed", Spelling::Nested)
        .stream("/api/ws", dialect::DIALECT, rights::topics)
        .subscription("subscribe_entities", read::subscribe)
}

/// RFC 3339 in UTC with `Z`, whole seconds, as the document prints times.
pub fn timestamp(at: Micros) -> String {
    let second = at.div_euclid(1_000_000);
    Timestamp::from_second(second).map_or_else(|_| format!("@{second}"), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_whole_seconds_in_utc() {
        assert_eq!(super::timestamp(1_672_531_200_000_000), "2023-01-01T00:00:00Z");
        assert_eq!(super::timestamp(1_672_531_200_999_999), "2023-01-01T00:00:00Z");
        assert_eq!(super::timestamp(-1), "1969-12-31T23:59:59Z");
    }
}
