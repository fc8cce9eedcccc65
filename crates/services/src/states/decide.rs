//! Decisions about states.

use bellwire_store::tx::Value;
use serde::Serialize;

use super::{
    contract::{
        CreateState, DeleteState, EntityId, Expected, RemoveEntity, State, StateId, UpdateState,
        state_changed, stored,
    },
    read::{Stored, newest_row, not_found, readable_row},
    rights::{Right, may},
    sql,
};
use crate::kit::{Code, Ctx, Event, Fault, Outcome, ReadTx, Tx, Upserted};

/// `states:create`: adds a row and announces it.
pub fn create(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &CreateState,
) -> Result<Outcome<Upserted<State>>, Fault> {
    if !may(tx, ctx.principal, Right::Write, &cmd.entity_id)? {
        return Err(forbidden());
    }
    let before = newest_row(tx, &cmd.entity_id)?;
    refuse_sensor(before.as_ref())?;
    expect(cmd.expected.as_ref(), before.as_ref())?;
    let is_new = before.is_none();
    let last_changed = match before {
        Some(before) if before.state == cmd.state.0 => before.last_changed,
        _ => ctx.now,
    };
    let row = Stored {
        state_id: tx.next_id("states")?,
        entity_id: cmd.entity_id.clone(),
        state: cmd.state.0.clone(),
        attributes: cmd.attributes.json().to_owned(),
        last_changed,
        last_updated: ctx.now,
    };
    tx.execute(
        sql::INSERT,
        &[
            Value::Integer(row.state_id),
            Value::Text(row.entity_id.as_str()),
            Value::Text(&row.state),
            Value::Text(&row.attributes),
            Value::Integer(row.last_changed),
            Value::Integer(row.last_updated),
        ],
    )?;
    let shown = row.show();
    let event = state_changed(tx, &cmd.entity_id, Some((&shown.state, &shown.attributes)))?;
    Ok(Outcome::reply(Upserted { reply: shown, is_new }).event(event))
}

/// `states:update`: changes a row, and announces the entity's newest state unless nothing changed.
pub fn update(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &UpdateState) -> Result<Outcome<State>, Fault> {
    if cmd.state.is_none() && cmd.attributes.is_none() {
        return Err(Fault::new(Code::Invalid, "state or attributes is needed"));
    }
    let mut row = writable(tx, ctx, cmd.state_id, cmd.expected.as_ref())?;
    let state = cmd.state.as_ref().filter(|state| state.0 != row.state);
    let attributes =
        cmd.attributes.as_ref().filter(|attributes| !attributes.equal(&row.attributes));
    if state.is_none() && attributes.is_none() {
        return Ok(Outcome::reply(row.show()));
    }
    if let Some(state) = state {
        row.state.clone_from(&state.0);
        row.last_changed = ctx.now;
    }
    if let Some(attributes) = attributes {
        row.attributes = attributes.json().to_owned();
    }
    row.last_updated = ctx.now;
    tx.execute(
        sql::UPDATE,
        &[
            Value::Integer(row.state_id),
            Value::Text(&row.state),
            Value::Text(&row.attributes),
            Value::Integer(row.last_changed),
            Value::Integer(row.last_updated),
        ],
    )?;
    let event = announce(tx, &row.entity_id)?;
    Ok(Outcome::reply(row.show()).event(event))
}

/// The reply to a deletion.
#[derive(Debug, Serialize)]
pub struct Deleted {
    message: String,
}

/// `states:delete`: takes a row away and announces what is the newest now.
pub fn delete(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &DeleteState,
) -> Result<Outcome<Deleted>, Fault> {
    let row = writable(tx, ctx, cmd.state_id, cmd.expected.as_ref())?;
    tx.execute(sql::DELETE, &[Value::Integer(row.state_id)])?;
    let event = announce(tx, &row.entity_id)?;
    let message = format!("State {} deleted successfully", row.state_id);
    Ok(Outcome::reply(Deleted { message }).event(event))
}

/// `states:remove`: takes an entity away; one event says so.
pub fn remove(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &RemoveEntity) -> Result<Outcome<()>, Fault> {
    if !may(tx, ctx.principal, Right::Write, &cmd.entity_id)? {
        let is_seen = may(tx, ctx.principal, Right::Read, &cmd.entity_id)?
            && newest_row(tx, &cmd.entity_id)?.is_some();
        return Err(if is_seen { forbidden() } else { not_found(&cmd.entity_id) });
    }
    if tx.execute(sql::REMOVE, &[Value::Text(cmd.entity_id.as_str())])? == 0 {
        refuse_sensor(newest_row(tx, &cmd.entity_id)?.as_ref())?;
        return Err(not_found(&cmd.entity_id));
    }
    Ok(Outcome::reply(()).event(state_changed(tx, &cmd.entity_id, None)?))
}

fn forbidden() -> Fault {
    Fault::new(Code::Forbidden, "Forbidden")
}

/// What is a sensor is changed by its readings.
fn refuse_sensor(newest: Option<&Stored>) -> Result<(), Fault> {
    match newest.filter(|row| row.is_sensor()) {
        None => Ok(()),
        Some(row) => {
            let why = format!("{} is a sensor: its readings change it", row.entity_id);
            Err(Fault::new(Code::Forbidden, why))
        }
    }
}

/// The row, if the caller may change it and it holds what the caller expects.
fn writable(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    state_id: StateId,
    expected: Option<&Expected>,
) -> Result<Stored, Fault> {
    let found = readable_row(tx, ctx.principal, state_id.0)?;
    let row = found.ok_or_else(|| not_found(state_id.0))?;
    if !may(tx, ctx.principal, Right::Write, &row.entity_id)? {
        return Err(forbidden());
    }
    expect(expected, Some(&row))?;
    Ok(row)
}

fn expect(expected: Option<&Expected>, row: Option<&Stored>) -> Result<(), Fault> {
    let Some(expected) = expected else { return Ok(()) };
    let holds = row.is_some_and(|row| {
        expected.state.as_ref().is_none_or(|state| state.0 == row.state)
            && expected
                .attributes
                .as_ref()
                .is_none_or(|attributes| attributes.equal(&row.attributes))
    });
    if holds { Ok(()) } else { Err(Fault::new(Code::Conflict, "conflict")) }
}

/// The event that tells an entity's newest state.
fn announce(tx: &ReadTx<'_>, entity_id: &EntityId) -> Result<Event, Fault> {
    match newest_row(tx, entity_id)? {
        Some(newest) => {
            state_changed(tx, entity_id, Some((&newest.state, &stored(newest.attributes))))
        }
        None => state_changed(tx, entity_id, None),
    }
}
