//! Decisions about paired clients: which areas each has, and the end of its access.

use std::collections::BTreeSet;

use bellwire_store::tx::Value;

use super::{
    contract::{AreaId, AssignAll, AssignOne, ChangeClient, Client, ClientId, OneClient, Presence},
    news::{Change, ClientRemoved, ClientsPresent, News, Present, To, offset_value, token_revoked},
    read, rights, sql,
};
use crate::{
    acknowledgements,
    identity::{self, Nothing},
    kit::{Code, Ctx, Effect, Fault, Micros, Outcome, Principal, Role, Tx, timestamp_ms},
};

/// The most areas of a client: its connections hold two topics for each.
pub const AREAS_OF_CLIENT_MAX: usize = 400;
/// The most clients of an area: all lose it in one transaction when it is deleted.
pub const CLIENTS_OF_AREA_MAX: i64 = 2_000;

/// Adds a client, and gives its id.
pub(super) fn insert(tx: &mut Tx<'_>, now: Micros, name: &str) -> Result<ClientId, Fault> {
    loop {
        let id = ClientId(tx.next_id("clients")?);
        if tx.one(sql::CLIENT, &[id.value()], |_| ())?.is_none() {
            insert_as(tx, now, id, name)?;
            return Ok(id);
        }
    }
}

/// Adds a client with this id.
pub(super) fn insert_as(
    tx: &mut Tx<'_>,
    now: Micros,
    id: ClientId,
    name: &str,
) -> Result<(), Fault> {
    let row = [id.value(), Value::Text(name), Value::Integer(now)];
    tx.execute(sql::INSERT_CLIENT, &row).map(drop)
}

/// `clients.change`.
pub fn change(tx: &mut Tx<'_>, _: &Ctx<'_>, cmd: &ChangeClient) -> Result<Outcome<Client>, Fault> {
    let mut client = read::client(tx, cmd.id)?;
    let mut news = News::default();
    if let Some(name) = cmd.name.as_ref().filter(|name| name.as_str() != client.name) {
        rename(tx, cmd.id, name.as_str())?;
        name.as_str().clone_into(&mut client.name);
        news.of_client(&client);
    }
    Ok(news.with(client))
}

/// Gives a client another name.
pub(super) fn rename(tx: &mut Tx<'_>, id: ClientId, name: &str) -> Result<(), Fault> {
    tx.execute(sql::RENAME_CLIENT, &[id.value(), Value::Text(name)]).map(drop)
}

/// `clients.assign_all`: tells the client of each area that it gets or loses.
pub fn assign_all(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &AssignAll,
) -> Result<Outcome<Client>, Fault> {
    let client = read::client(tx, cmd.id)?;
    if let Some(seen) = &cmd.expected_area_ids {
        let seen: BTreeSet<&AreaId> = seen.iter().collect();
        if seen != client.area_ids.iter().collect() {
            let why = "conflict: the client has other areas by now; read it again";
            return Err(Fault::new(Code::Conflict, why));
        }
    }
    with_areas(tx, ctx, client, &cmd.area_ids)
}

/// Gives a client these areas and no others, and tells admins of it.
fn with_areas(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    mut client: Client,
    area_ids: &[AreaId],
) -> Result<Outcome<Client>, Fault> {
    let mut news = News::default();
    if let Some(area_ids) = set_areas(tx, ctx, client.id, area_ids, &mut news)? {
        client.area_ids = area_ids;
        news.of_client(&client);
    }
    Ok(news.with(client))
}

/// `clients.assign`: silent when the client has the area.
pub fn assign(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &AssignOne) -> Result<Outcome<Client>, Fault> {
    with_areas_edited(tx, ctx, cmd, |areas| areas.insert(cmd.area_id))
}

/// `clients.unassign`: silent when the client does not have the area.
pub fn unassign(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &AssignOne) -> Result<Outcome<()>, Fault> {
    Ok(with_areas_edited(tx, ctx, cmd, |areas| areas.remove(&cmd.area_id))?.map(drop))
}

fn with_areas_edited(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &AssignOne,
    edit: impl FnOnce(&mut BTreeSet<AreaId>) -> bool,
) -> Result<Outcome<Client>, Fault> {
    let client = read::client(tx, cmd.id)?;
    read::area(tx, cmd.area_id)?;
    let mut areas: BTreeSet<AreaId> = client.area_ids.iter().copied().collect();
    if !edit(&mut areas) {
        return Ok(Outcome::reply(client));
    }
    let area_ids: Vec<AreaId> = areas.into_iter().collect();
    with_areas(tx, ctx, client, &area_ids)
}

/// Gives a client these areas and no others; gives them by id, if it had others.
pub(super) fn set_areas(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    id: ClientId,
    area_ids: &[AreaId],
    news: &mut News,
) -> Result<Option<Vec<AreaId>>, Fault> {
    let after: BTreeSet<AreaId> = area_ids.iter().copied().collect();
    if after.len() > AREAS_OF_CLIENT_MAX {
        return Err(Fault::new(Code::Invalid, format!("areaIds: at most {AREAS_OF_CLIENT_MAX}")));
    }
    let before: BTreeSet<AreaId> = rights::assigned(tx, id)?.into_iter().collect();
    let lost: Vec<AreaId> = before.difference(&after).copied().collect();
    let won: Vec<AreaId> = after.difference(&before).copied().collect();
    for area_id in &lost {
        let area = read::area(tx, *area_id)?;
        news.of_area(tx, ctx, Change::Removed, &area, To::Client(id))?;
        news.evict(id, *area_id);
    }
    for area_id in &won {
        let area = read::area(tx, *area_id).map_err(|fault| match fault.code {
            Code::NotFound => Fault::new(Code::Invalid, format!("areaIds: {}", fault.message)),
            _ => fault,
        })?;
        news.of_area(tx, ctx, Change::Added, &area, To::Client(id))?;
        news.grant(id, *area_id);
    }
    // The assignments change at the last of these events; what follows in this decision is for admins only.
    let at = offset_value(news.last_offset(tx)?);
    for area_id in &lost {
        tx.execute(sql::UNASSIGN, &[id.value(), area_id.value(), at])?;
        tx.execute(sql::ONE_LESS, &[area_id.value()])?;
    }
    for area_id in &won {
        if give(tx, id, *area_id, at)? > CLIENTS_OF_AREA_MAX {
            let why = format!("{area_id} has {CLIENTS_OF_AREA_MAX} clients, and no area has more");
            return Err(Fault::new(Code::Conflict, why));
        }
    }
    let differs = !lost.is_empty() || !won.is_empty();
    Ok(differs.then(|| after.into_iter().collect()))
}

/// Gives a client an area that it does not have; says how many clients have it now.
pub(super) fn give(
    tx: &mut Tx<'_>,
    id: ClientId,
    area_id: AreaId,
    at: Value<'_>,
) -> Result<i64, Fault> {
    tx.execute(sql::ASSIGN, &[id.value(), area_id.value(), at])?;
    Ok(tx.one(sql::ONE_MORE, &[area_id.value()], |row| row.integer(0))?.unwrap_or(0))
}

/// `clients.revoke`: every token of the client ends, and its connections with that.
pub fn revoke(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneClient) -> Result<Outcome<Client>, Fault> {
    let client = Client { revoked: true, ..read::client(tx, cmd.id)? };
    let mut news = News::default();
    end_access(tx, ctx, cmd.id, &mut news)?;
    news.of_client(&client);
    Ok(news.with(client))
}

fn end_access(tx: &mut Tx<'_>, ctx: &Ctx<'_>, id: ClientId, news: &mut News) -> Result<(), Fault> {
    let last = token_revoked();
    if tx.execute(sql::REVOKE_CLIENT, &[id.value(), Value::Integer(ctx.now)])? > 0 {
        news.record_revocation(tx, ctx, id, &last)?;
    }
    identity::end_tokens_of(tx, ctx, Role::Client, &id.to_string())?;
    let principal = Principal::client(&id.to_string());
    news.effect(Effect::Revoke { principal, last: Some(last) });
    Ok(())
}

/// `clients.delete`: the same, and it is forgotten.
pub fn delete(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneClient) -> Result<Outcome<()>, Fault> {
    read::client(tx, cmd.id)?;
    let mut news = News::default();
    end_access(tx, ctx, cmd.id, &mut news)?;
    tx.execute(sql::ONE_LESS_OF_ALL, &[cmd.id.value()])?;
    tx.execute(sql::FORGET_ASSIGNMENTS, &[cmd.id.value()])?;
    tx.execute(sql::FORGET_EVENTS_OF, &[cmd.id.value()])?;
    let principal = Principal::client(&cmd.id.to_string());
    acknowledgements::forget(tx, &principal)?;
    tx.execute(sql::DELETE_CLIENT, &[cmd.id.value()])?;
    let gone = ClientRemoved { id: cmd.id };
    news.for_admins("client_removed", cmd.id.to_string(), &gone);
    Ok(news.with(()))
}

/// The most clients that one event of `clients.present` tells of, and that the server tells of at once.
pub const PRESENT_MAX: usize = 500;

/// `clients.present`: notes who came and who went, and tells admins.
pub fn present(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &Presence) -> Result<Outcome<()>, Fault> {
    let mut changes = Vec::new();
    for (ids, online) in [(&cmd.went, false), (&cmd.came, true)] {
        for id in ids.iter().filter_map(|id| ClientId::parse(id)) {
            let row = [id.value(), Value::Integer(online.into()), Value::Integer(ctx.now)];
            if tx.execute(sql::SEEN, &row)? > 0 {
                changes.push(Present { id, online, last_seen: Some(timestamp_ms(ctx.now)) });
            }
        }
    }
    Ok(of_presence(&changes))
}

/// `clients.nobody`: the server has just started, so nobody is connected. Who was seen last is known to as much as
/// lies between two calls of [`still_here`](super::still_here).
pub fn nobody(tx: &mut Tx<'_>, _: &Ctx<'_>, _: &Nothing) -> Result<Outcome<()>, Fault> {
    let changes = tx.all(sql::NOBODY_HERE, &[], |row| Present {
        id: ClientId(row.integer(0)),
        online: false,
        last_seen: row.optional_integer(1).map(timestamp_ms),
    })?;
    Ok(of_presence(&changes))
}

fn of_presence(changes: &[Present]) -> Outcome<()> {
    let mut news = News::default();
    for some in changes.chunks(PRESENT_MAX) {
        let payload = ClientsPresent { clients: some };
        news.for_admins("clients_present", String::new(), &payload);
    }
    news.with(())
}
