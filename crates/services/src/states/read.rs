//! Queries about states, and the snapshot of a subscription.

use std::collections::HashSet;

use bellwire_store::tx::{Row, Value};

use super::{
    ENTITIES_MAX,
    contract::{EntityId, GetRow, GetState, State, SubscribeEntities, stored},
    names,
    rights::{Right, may, reads_by_area_alone},
    sql,
};
use crate::{
    areas::rights::readable,
    kit::{
        Code, Ctx, Fault, Payload, Principal, ReadTx, SNAPSHOT_LEN_MAX, Said, Subscribe, parse,
        timestamp,
    },
    sensors::entities::{self, Entity},
};

/// A row with its exact times.
pub(super) struct Stored {
    pub state_id: i64,
    pub entity_id: EntityId,
    pub state: String,
    pub attributes: String,
    pub last_changed: i64,
    pub last_updated: i64,
}

impl Stored {
    /// A row of one of the statements that select whole rows.
    pub fn of(row: &Row<'_>) -> Stored {
        Stored {
            state_id: row.integer(0),
            entity_id: EntityId::parse(row.text_ref(1)).expect("only entity ids are stored"),
            state: row.text(2),
            attributes: row.text(3),
            last_changed: row.integer(4),
            last_updated: row.integer(5),
        }
    }

    /// A sensor, as if it were a row.
    pub fn of_sensor(entity_id: &EntityId, entity: Entity) -> Stored {
        Stored {
            state_id: -entity.sensor_id,
            entity_id: entity_id.clone(),
            state: entity.state,
            attributes: entity.attributes,
            last_changed: entity.last_changed,
            last_updated: entity.last_updated,
        }
    }

    /// Whether it is a sensor, which its readings change.
    pub fn is_sensor(&self) -> bool {
        self.state_id < 0
    }

    /// The row as replies show it.
    pub fn show(self) -> State {
        State {
            state_id: self.state_id,
            entity_id: self.entity_id.to_string(),
            state: self.state,
            attributes: stored(self.attributes),
            last_changed: timestamp(self.last_changed),
            last_updated: timestamp(self.last_updated),
        }
    }
}

/// The newest row of an entity, without asking for rights.
pub(super) fn newest_row(tx: &ReadTx<'_>, entity_id: &EntityId) -> Result<Option<Stored>, Fault> {
    match tx.one(sql::NEWEST, &[Value::Text(entity_id.as_str())], Stored::of)? {
        None => {
            Ok(entities::find(tx, entity_id)?.map(|entity| Stored::of_sensor(entity_id, entity)))
        }
        found => Ok(found),
    }
}

/// Entities that somebody may read, in the order of their ids, among others: of a house there are many, of a
/// screen's areas few.
pub(super) struct Candidates<'a> {
    principal: &'a Principal,
    /// The last that was given.
    last: String,
    by_area_alone: bool,
    /// Those of areas that were read and not given yet, the next one last.
    read: Vec<EntityId>,
}

/// How many entities of areas are read at once.
const READ_AT_ONCE: i64 = 200;

impl<'a> Candidates<'a> {
    /// Those after this id.
    pub fn after(principal: &'a Principal, last: String) -> Candidates<'a> {
        let by_area_alone = reads_by_area_alone(principal);
        Candidates { principal, last, by_area_alone, read: Vec::new() }
    }

    /// The next one.
    pub fn next(&mut self, tx: &ReadTx<'_>) -> Result<Option<EntityId>, Fault> {
        let next = if self.by_area_alone {
            if self.read.is_empty() {
                self.read = readable(tx, self.principal, &self.last, READ_AT_ONCE)?;
                self.read.reverse();
            }
            self.read.pop()
        } else {
            let stored = tx.one(sql::NEXT_ENTITY, &[Value::Text(&self.last)], |row| {
                EntityId::parse(row.text_ref(0)).expect("only entity ids are stored")
            })?;
            let sensor = entities::next_after(tx, &self.last)?;
            stored.into_iter().chain(sensor).min_by(|one, other| one.as_str().cmp(other.as_str()))
        };
        if let Some(next) = &next {
            next.as_str().clone_into(&mut self.last);
        }
        Ok(next)
    }
}

/// The row of an id, if the principal may read it.
pub(super) fn readable_row(
    tx: &ReadTx<'_>,
    principal: &Principal,
    state_id: i64,
) -> Result<Option<Stored>, Fault> {
    let Some(row) = tx.one(sql::BY_ID, &[Value::Integer(state_id)], Stored::of)? else {
        return Ok(None);
    };
    Ok(may(tx, principal, Right::Read, &row.entity_id)?.then_some(row))
}

/// What both an absent entity and one that may not be read answer.
pub(super) fn not_found(what: impl std::fmt::Display) -> Fault {
    Fault::new(Code::NotFound, format!("State not found: {what}"))
}

/// `states:get`.
pub fn newest(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &GetState) -> Result<State, Fault> {
    let found = if may(tx, ctx.principal, Right::Read, &query.entity_id)? {
        newest_row(tx, &query.entity_id)?
    } else {
        None
    };
    found.map(Stored::show).ok_or_else(|| not_found(&query.entity_id))
}

/// `states:row`.
pub fn by_id(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &GetRow) -> Result<State, Fault> {
    let id = query.state_id.0;
    readable_row(tx, ctx.principal, id)?.map(Stored::show).ok_or_else(|| not_found(id))
}

/// `subscribe_entities`. Entities that are absent or may not be read are left out of the snapshot;
/// once they exist and may be read, their changes are heard.
pub fn subscribe(payload: Payload) -> Result<Subscribe, Fault> {
    let request: SubscribeEntities = parse(payload)?;
    if request.entity_ids.as_ref().is_some_and(|ids| ids.len() > ENTITIES_MAX) {
        return Err(Fault::new(Code::Invalid, format!("entity_ids: at most {ENTITIES_MAX}")));
    }
    let keys: Option<HashSet<String>> =
        request.entity_ids.as_ref().map(|ids| ids.iter().map(EntityId::to_string).collect());
    let wanted = request.entity_ids;
    Ok(Subscribe {
        keys,
        topics: names::of(wanted.as_deref()),
        snapshot: Box::new(move |tx, principal| snapshot(tx, principal, wanted)),
    })
}

fn snapshot(
    tx: &ReadTx<'_>,
    principal: &Principal,
    wanted: Option<Vec<EntityId>>,
) -> Result<Said, Fault> {
    let mut payload = String::from(r#"{"data":["#);
    let mut add = |entity_id: &EntityId| -> Result<(), Fault> {
        let row = if may(tx, principal, Right::Read, entity_id)? {
            newest_row(tx, entity_id)?
        } else {
            None
        };
        let Some(row) = row else { return Ok(()) };
        if !payload.ends_with('[') {
            payload.push(',');
        }
        payload.push_str(&serde_json::to_string(&row.show()).expect("a row serialises"));
        if payload.len() > SNAPSHOT_LEN_MAX {
            return Err(Fault::new(
                Code::Invalid,
                "the snapshot is over 1 MiB: subscribe to fewer entities",
            ));
        }
        Ok(())
    };
    match wanted {
        Some(mut ids) => {
            let mut seen = HashSet::new();
            ids.retain(|id| seen.insert(id.clone()));
            ids.iter().try_for_each(add)?;
        }
        None => {
            let mut candidates = Candidates::after(principal, String::new());
            while let Some(entity_id) = candidates.next(tx)? {
                add(&entity_id)?;
            }
        }
    }
    payload.push_str("]}");
    Ok(Said { event: "states:snapshot".to_owned(), payload })
}
