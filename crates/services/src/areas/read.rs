//! Queries about areas and clients.

use std::ops::ControlFlow;

use bellwire_store::{
    change::Offset,
    log::Cursor,
    tx::{Row, Statement, Value},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    contract::{
        Area, AreaId, Client, ClientEvents, ClientId, EntityIds, EventsPlace, List, OneArea,
        OneClient, OwnEvents,
    },
    news::offset_value,
    rights::{assigned, caller},
    sql,
};
use crate::kit::{Code, Ctx, Fault, Micros, Page, Paging, ReadTx, Role, timestamp_ms};

fn area_of(row: &Row<'_>) -> Area {
    let entity_ids: Vec<String> =
        serde_json::from_str(row.text_ref(2)).expect("entity ids are stored as JSON");
    let parsed = entity_ids.iter().filter_map(|id| crate::states::EntityId::parse(id));
    Area {
        id: AreaId(row.integer(0)),
        name: row.text(1),
        entity_ids: EntityIds(parsed.collect()),
        is_enabled: row.integer(3) != 0,
        created_at: row.integer(4),
        updated_at: row.integer(5),
    }
}

/// An area.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn area(tx: &ReadTx<'_>, id: AreaId) -> Result<Area, Fault> {
    tx.one(sql::AREA, &[id.value()], area_of)?.ok_or_else(|| not_found(id))
}

/// `areas.list`: all of them, or those that the calling client has.
pub fn areas(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &List) -> Result<Page<Area>, Fault> {
    let len = query.paging.page_len()?;
    let (after, most) = (after(&query.paging)?, Value::Integer(len as i64 + 1));
    let size = |row: &Row<'_>| row.text_ref(1).len() + row.text_ref(2).len();
    let (rows, len) = match (ctx.principal.role, caller(ctx.principal)) {
        (Role::Admin | Role::System, _) => {
            bounded(tx, sql::AREAS, &[after, most], len, size, area_of)?
        }
        (_, Some(id)) => {
            bounded(tx, sql::AREAS_OF, &[id.value(), after, most], len, size, area_of)?
        }
        _ => return Err(forbidden()),
    };
    Ok(Page::of(rows, len, |area| area.id.0.to_string()))
}

/// The bytes after which a page ends, whatever its length.
const PAGE_BYTES_MAX: usize = 512 << 10;

/// Where a page ends: after so many rows, or early when those have many bytes.
struct PageEnd {
    len: usize,
    bytes: usize,
}

impl PageEnd {
    fn after(len: usize) -> PageEnd {
        PageEnd { len, bytes: 0 }
    }

    /// Takes in a row of so many bytes that comes behind `rows` others; says whether one more is wanted: a page is
    /// read with the row behind it, if there is one.
    fn add(&mut self, rows: usize, bytes: usize) -> bool {
        if rows < self.len && self.bytes > PAGE_BYTES_MAX {
            self.len = rows;
        }
        self.bytes += bytes;
        rows < self.len
    }
}

/// Rows of a page: one more than it has, if there is one; and how many it has.
fn bounded<T>(
    tx: &ReadTx<'_>,
    statement: Statement,
    params: &[Value<'_>],
    len: usize,
    size: fn(&Row<'_>) -> usize,
    read: fn(&Row<'_>) -> T,
) -> Result<(Vec<T>, usize), Fault> {
    let (mut rows, mut end) = (Vec::new(), PageEnd::after(len));
    tx.each(statement, params, |row| {
        let goes_on = end.add(rows.len(), size(row));
        rows.push(read(row));
        if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok((rows, end.len))
}

fn after(paging: &Paging) -> Result<Value<'static>, Fault> {
    Ok(Value::Integer(paging.after()?.unwrap_or(0)))
}

pub(super) fn forbidden() -> Fault {
    Fault::new(Code::Forbidden, "Forbidden")
}

/// `areas.get`: to a client that does not have it, it is not there.
pub fn one_area(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &OneArea) -> Result<Area, Fault> {
    match (ctx.principal.role, caller(ctx.principal)) {
        (Role::Admin | Role::System, _) => area(tx, query.id),
        (_, Some(id)) if assigned(tx, id)?.contains(&query.id) => area(tx, query.id),
        (_, Some(_)) => Err(not_found(query.id)),
        _ => Err(forbidden()),
    }
}

fn not_found(id: AreaId) -> Fault {
    Fault::new(Code::NotFound, format!("Area not found: {id}"))
}

/// A row of a client, without its areas.
struct Known {
    id: ClientId,
    name: String,
    online: bool,
    last_seen: Option<i64>,
    revoked: bool,
}

impl Known {
    fn of(row: &Row<'_>) -> Known {
        Known {
            id: ClientId(row.integer(0)),
            name: row.text(1),
            online: row.integer(2) != 0,
            last_seen: row.optional_integer(3),
            revoked: row.optional_integer(4).is_some(),
        }
    }

    fn with_areas(self, tx: &ReadTx<'_>) -> Result<Client, Fault> {
        Ok(Client {
            area_ids: assigned(tx, self.id)?,
            id: self.id,
            name: self.name,
            online: self.online,
            last_seen: self.last_seen.map(timestamp_ms),
            revoked: self.revoked,
        })
    }
}

/// A client.
///
/// # Errors
/// [`Code::NotFound`].
pub(super) fn client(tx: &ReadTx<'_>, id: ClientId) -> Result<Client, Fault> {
    match tx.one(sql::CLIENT, &[id.value()], Known::of)? {
        Some(known) => known.with_areas(tx),
        None => Err(Fault::new(Code::NotFound, format!("Client not found: {id}"))),
    }
}

/// `clients.list`.
pub fn clients(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &List) -> Result<Page<Client>, Fault> {
    let len = query.paging.page_len()?;
    let place = [after(&query.paging)?, Value::Integer(len as i64 + 1)];
    let (mut clients, mut end) = (Vec::new(), PageEnd::after(len));
    for known in tx.all(sql::CLIENTS, &place, Known::of)? {
        let client = known.with_areas(tx)?;
        let bytes = client.name.len() + client.area_ids.len() * AREA_ID_BYTES;
        let goes_on = end.add(clients.len(), bytes);
        clients.push(client);
        if !goes_on {
            break;
        }
    }
    Ok(Page::of(clients, end.len, |client| client.id.0.to_string()))
}

/// About the bytes that the id of an area takes in an answer.
const AREA_ID_BYTES: usize = "\"area_123456\",".len();

/// `clients.get`.
pub fn one_client(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &OneClient) -> Result<Client, Fault> {
    client(tx, query.id)
}

/// Events that a client was told, in their order.
#[derive(Debug, Serialize)]
pub struct Events {
    items: Vec<ToldEvent>,
    /// The id after which more follow; `null`: these are all.
    next: Option<String>,
    /// Whether some after the caller's place are not kept any more, or its place is none of this log.
    truncated: bool,
}

/// An event that a client was told.
#[derive(Debug, Serialize)]
struct ToldEvent {
    /// Its place in the log: the cursor that it bore on connections that asked for cursors.
    id: String,
    event: String,
    data: Box<RawValue>,
    timestamp: String,
}

/// `clients.events`.
pub fn events(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &ClientEvents) -> Result<Events, Fault> {
    client(tx, query.id)?;
    told(tx, query.id, &query.place)
}

/// `clients.own_events`.
pub fn own_events(tx: &ReadTx<'_>, ctx: &Ctx<'_>, query: &OwnEvents) -> Result<Events, Fault> {
    let id = caller(ctx.principal).ok_or_else(forbidden)?;
    told(tx, id, &query.place)
}

fn told(tx: &ReadTx<'_>, id: ClientId, place: &EventsPlace) -> Result<Events, Fault> {
    let len = Paging { limit: place.limit, cursor: None }.page_len()?;
    let forgotten = tx.one(sql::FORGOTTEN_UPTO, &[], |row| row.integer(0))?.unwrap_or(0);
    let since = match place.since.as_deref().map(str::parse::<Cursor>) {
        Some(Ok(since)) => Some(since),
        Some(Err(_)) => return Err(Fault::new(Code::Invalid, "since: not the id of an event")),
        None => None,
    };
    let head = tx.head()?;
    let known = since.as_ref().filter(|since| since.epoch == tx.epoch() && since.offset <= head);
    let truncated = since.is_some()
        && known.is_none_or(|since| i64::try_from(since.offset).is_ok_and(|at| at < forgotten));
    let size = |row: &Row<'_>| row.text_ref(3).len();
    let most = Value::Integer(len as i64 + 1);
    let Some(since) = known else {
        // The newest come first here, and what is too much is left out at the other end.
        let newest = [id.value(), Value::Integer(0), most];
        let (mut rows, len) = bounded(tx, sql::TOLD, &newest, len, size, Recorded::of)?;
        rows.truncate(len);
        let items = rows.into_iter().rev().map(|row| row.shown(tx.epoch())).collect();
        return Ok(Events { items, next: None, truncated });
    };
    let after = [id.value(), offset_value(since.offset), most];
    let (rows, len) = bounded(tx, sql::TOLD_AFTER, &after, len, size, Recorded::of)?;
    let items = rows.into_iter().map(|row| row.shown(tx.epoch())).collect();
    let Page { items, next } = Page::of(items, len, |event: &ToldEvent| event.id.clone());
    Ok(Events { items, next, truncated })
}

/// A row of an event.
struct Recorded {
    offset: Offset,
    at: Micros,
    name: String,
    payload: String,
}

impl Recorded {
    fn of(row: &Row<'_>) -> Recorded {
        Recorded {
            offset: Offset::try_from(row.integer(0))
                .expect("offsets are stored as they were counted"),
            at: row.integer(1),
            name: row.text(2),
            payload: row.text(3),
        }
    }

    fn shown(self, epoch: &str) -> ToldEvent {
        ToldEvent {
            id: Cursor { epoch: epoch.to_owned(), offset: self.offset }.to_string(),
            event: self.name,
            data: RawValue::from_string(self.payload).expect("payloads are stored as JSON"),
            timestamp: timestamp_ms(self.at),
        }
    }
}
