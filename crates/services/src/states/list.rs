//! Lists over HTTP: all states a page at a time, and an entity's history.
//!
//! A page is bounded by its items, by its bytes, and by the rows that were looked at for it: a caller who
//! may read few of many gets short pages, and a cursor to go on with.

use std::ops::ControlFlow;

use bellwire_store::tx::Value;

use super::{
    contract::{EntityId, ListHistory, ListStates, State},
    read::{Candidates, Stored, newest_row, not_found},
    rights::{Right, may},
    sql,
};
use crate::{
    kit::{Ctx, Fault, Micros, Page, ReadTx, wrong_cursor},
    sensors::entities,
};

/// The bytes of attributes after which a page ends.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// The entities or rows that are looked at for a page: a few milliseconds' worth, so that nobody waits
/// long behind those who look for what is rare.
const LOOKED_AT_MAX: usize = 1_000;

/// `states:list`. The cursor is the id of the last entity that was looked at.
pub fn list(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &ListStates) -> Result<Page<State>, Fault> {
    let len = query.paging.page_len()?;
    let mut last = match &query.paging.cursor {
        None => String::new(),
        Some(cursor) => EntityId::parse(cursor).ok_or_else(wrong_cursor)?.to_string(),
    };
    let mut page = Page { items: Vec::new(), next: None };
    let mut bytes = 0;
    let mut candidates = Candidates::after(ctx.principal, last.clone());
    for _ in 0..LOOKED_AT_MAX {
        let Some(entity) = candidates.next(tx)? else { return Ok(page) };
        if may(tx, ctx.principal, Right::Read, &entity)?
            && let Some(row) = newest_row(tx, &entity)?
        {
            if page.items.len() == len || bytes > PAGE_BYTES_MAX {
                break;
            }
            bytes += row.attributes.len();
            page.items.push(row.show());
        }
        last = entity.to_string();
    }
    page.next = Some(last);
    Ok(page)
}

/// `states:history`. The cursor is the id of the last row that was looked at.
pub fn history(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &ListHistory) -> Result<Page<State>, Fault> {
    let len = query.paging.page_len()?;
    let before = query.paging.after()?.unwrap_or(i64::MAX);
    let entity_id = &query.entity_id;
    let newest = match may(tx, ctx.principal, Right::Read, entity_id)? {
        true => newest_row(tx, entity_id)?,
        false => None,
    };
    let Some(newest) = newest else { return Err(not_found(entity_id)) };
    let from = query.from.map_or(i64::MIN, |from| from.as_microsecond());
    let to = query.to.map_or(i64::MAX, |to| to.as_microsecond());
    if newest.is_sensor() {
        let to = query.paging.after()?.map_or(to, |before| before.min(to));
        return history_of_sensor(tx, newest, from, to, len);
    }
    let (mut page, mut bytes) = (Page { items: Vec::new(), next: None }, 0);
    let (mut looked_at, mut last) = (0, before);
    tx.each(sql::BEFORE, &[Value::Text(entity_id.as_str()), Value::Integer(before)], |row| {
        let (state_id, is_wanted) = (row.integer(0), (from..to).contains(&row.integer(5)));
        if looked_at == LOOKED_AT_MAX
            || (is_wanted && (page.items.len() == len || bytes > PAGE_BYTES_MAX))
        {
            page.next = Some(last.to_string());
            return ControlFlow::Break(());
        }
        (looked_at, last) = (looked_at + 1, state_id);
        if is_wanted {
            let row = Stored::of(row);
            bytes += row.attributes.len();
            page.items.push(row.show());
        }
        ControlFlow::Continue(())
    })?;
    Ok(page)
}

/// The readings of a sensor as states; the cursor is the time of the last one.
fn history_of_sensor(
    tx: &ReadTx<'_>,
    newest: Stored,
    from: Micros,
    to: Micros,
    len: usize,
) -> Result<Page<State>, Fault> {
    let readings = entities::history(tx, -newest.state_id, from, to, len + 1)?;
    let next = readings.get(len).and(readings.get(len - 1)).map(|(at, _)| at.to_string());
    let row = |(at, state): (Micros, String)| Stored {
        state_id: newest.state_id,
        entity_id: newest.entity_id.clone(),
        state,
        attributes: newest.attributes.clone(),
        last_changed: at,
        last_updated: at,
    };
    Ok(Page {
        items: readings.into_iter().take(len).map(|reading| row(reading).show()).collect(),
        next,
    })
}
