//! Decisions about areas.

use std::collections::HashSet;

use bellwire_store::tx::Value;
use jiff::Timestamp;

use super::{
    contract::{
        Area, AreaId, CHANGED_ENTITIES_MAX, CHANGES_MAX, ChangeArea, ChangeAreas, ClientId,
        CreateArea, OneArea, ToggleArea,
    },
    news::{Change, News, To, offset_value},
    read, sql,
};
use crate::{
    kit::{Code, Ctx, Fault, Micros, Outcome, Page, Payload, Tx, parse},
    states::EntityId,
};

/// `areas.create`.
pub fn create(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &CreateArea) -> Result<Outcome<Area>, Fault> {
    let area = Area {
        id: free_id(tx)?,
        name: cmd.name.as_str().to_owned(),
        entity_ids: cmd.entity_ids.clone(),
        is_enabled: cmd.is_enabled,
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    insert(tx, &area)?;
    let mut news = News::default();
    news.of_area(tx, ctx, Change::Added, &area, To::Holders)?;
    Ok(news.with(area))
}

/// A number that no area has.
fn free_id(tx: &mut Tx<'_>) -> Result<AreaId, Fault> {
    loop {
        let id = AreaId(tx.next_id("areas")?);
        if tx.one(sql::AREA, &[id.value()], |_| ())?.is_none() {
            return Ok(id);
        }
    }
}

/// Adds the rows of an area.
pub(super) fn insert(tx: &mut Tx<'_>, area: &Area) -> Result<(), Fault> {
    let row = [
        area.id.value(),
        Value::Text(&area.name),
        Value::Text(&entity_ids_json(area)),
        Value::Integer(area.is_enabled.into()),
        Value::Integer(area.created_at),
    ];
    tx.execute(sql::INSERT_AREA, &row)?;
    insert_entities(tx, area)
}

fn entity_ids_json(area: &Area) -> String {
    serde_json::to_string(&area.entity_ids).expect("texts serialise")
}

fn insert_entities(tx: &mut Tx<'_>, area: &Area) -> Result<(), Fault> {
    area.entity_ids.0.iter().try_for_each(|entity_id| {
        let row = [Value::Text(entity_id.as_str()), area.id.value()];
        tx.execute(sql::INSERT_ENTITY, &row).map(drop)
    })
}

/// `areas.change`: tells of the update, whether or not something is different by it, and of being enabled
/// or disabled, if that is.
pub fn change(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &ChangeArea) -> Result<Outcome<Area>, Fault> {
    let mut news = News::default();
    let old = read::area(tx, cmd.id)?;
    let area = changed(tx, ctx, cmd, old, &mut news)?;
    Ok(news.with(area))
}

/// `areas.change_all`.
pub fn change_all(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &ChangeAreas,
) -> Result<Outcome<Page<Area>>, Fault> {
    if cmd.items.len() > CHANGES_MAX {
        return Err(Fault::new(Code::Invalid, format!("items: at most {CHANGES_MAX}")));
    }
    let mut news = News::default();
    let mut items = Vec::with_capacity(cmd.items.len());
    let mut entities = 0;
    for (place, item) in cmd.items.iter().enumerate() {
        let change = one_of_all(place, item)?;
        let old = read::area(tx, change.id)?;
        let becomes = change.entity_ids.as_ref().unwrap_or(&old.entity_ids);
        entities += becomes.0.len().max(old.entity_ids.0.len());
        if entities > CHANGED_ENTITIES_MAX {
            let why = format!(
                "items: the areas have more than {CHANGED_ENTITIES_MAX} entities; change fewer at once"
            );
            return Err(Fault::new(Code::Invalid, why));
        }
        items.push(changed(tx, ctx, &change, old, &mut news)?);
    }
    Ok(news.with(Page { items, next: None }))
}

/// One of several changes, which names its area as the area itself does.
fn one_of_all(place: usize, item: &Payload) -> Result<ChangeArea, Fault> {
    let mut item = item.clone();
    let id = item.shift_remove("id");
    item.shift_remove("areaId");
    item.extend(id.map(|id| ("areaId".to_owned(), id)));
    parse(item).map_err(|fault| {
        let words = fault.message.replace("areaId", "id");
        Fault::new(fault.code, format!("items[{place}].{words}"))
    })
}

fn changed(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &ChangeArea,
    old: Area,
    news: &mut News,
) -> Result<Area, Fault> {
    expect(cmd.expected_updated_at, &old)?;
    let mut new = old.clone();
    if let Some(name) = &cmd.name {
        name.as_str().clone_into(&mut new.name);
    }
    if let Some(entity_ids) = &cmd.entity_ids {
        new.entity_ids.clone_from(entity_ids);
    }
    new.is_enabled = cmd.is_enabled.unwrap_or(old.is_enabled);
    let others = new.entity_ids != old.entity_ids;
    update(tx, ctx.now, &mut new, others)?;
    news.of_area(tx, ctx, Change::Updated, &new, To::Holders)?;
    if new.is_enabled != old.is_enabled {
        news.of_area(tx, ctx, enabled_or_disabled(&new), &new, To::Holders)?;
    }
    let stay: HashSet<&EntityId> = new.entity_ids.0.iter().collect();
    let gone = old.entity_ids.0.iter().filter(|entity_id| !stay.contains(entity_id));
    let gone: Vec<String> = gone.map(EntityId::to_string).collect();
    match (old.is_enabled, new.is_enabled) {
        (true, false) => news.narrow(new.id, None),
        (true, true) if !gone.is_empty() => news.narrow(new.id, Some(gone)),
        _ => {}
    }
    Ok(new)
}

/// Refuses a caller who saw the area as it was at another time.
fn expect(seen: Option<Timestamp>, area: &Area) -> Result<(), Fault> {
    match seen {
        Some(at) if at.as_millisecond() != area.updated_at / 1_000 => {
            let why = "conflict: the area was changed since; read it again";
            Err(Fault::new(Code::Conflict, why))
        }
        _ => Ok(()),
    }
}

fn enabled_or_disabled(area: &Area) -> Change {
    if area.is_enabled { Change::Enabled } else { Change::Disabled }
}

/// Writes a changed area. Each change has a time of its own, as callers see it, so that it can be told from
/// the one before.
fn update(tx: &mut Tx<'_>, now: Micros, area: &mut Area, entities: bool) -> Result<(), Fault> {
    area.updated_at = now.max((area.updated_at / 1_000 + 1) * 1_000);
    let row = [
        area.id.value(),
        Value::Text(&area.name),
        Value::Text(&entity_ids_json(area)),
        Value::Integer(area.is_enabled.into()),
        Value::Integer(area.updated_at),
    ];
    tx.execute(sql::UPDATE_AREA, &row)?;
    if entities {
        tx.execute(sql::DELETE_ENTITIES, &[area.id.value()])?;
        insert_entities(tx, area)?;
    }
    Ok(())
}

/// `areas.toggle`: silent when the area is already what it is to be.
pub fn toggle(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &ToggleArea) -> Result<Outcome<Area>, Fault> {
    let mut area = read::area(tx, cmd.id)?;
    expect(cmd.expected_updated_at, &area)?;
    let wanted = cmd.is_enabled.unwrap_or(!area.is_enabled);
    if wanted == area.is_enabled {
        return Ok(Outcome::reply(area));
    }
    area.is_enabled = wanted;
    update(tx, ctx.now, &mut area, false)?;
    let mut news = News::default();
    news.of_area(tx, ctx, enabled_or_disabled(&area), &area, To::Holders)?;
    if !area.is_enabled {
        news.narrow(area.id, None);
    }
    Ok(news.with(area))
}

/// `areas.delete`: tells those who had it.
pub fn delete(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneArea) -> Result<Outcome<()>, Fault> {
    let area = read::area(tx, cmd.id)?;
    let clients = tx.all(sql::CLIENTS_OF, &[area.id.value()], |row| ClientId(row.integer(0)))?;
    let mut news = News::default();
    news.of_area(tx, ctx, Change::Removed, &area, To::Former(&clients))?;
    let at = offset_value(news.last_offset(tx)?);
    clients.iter().for_each(|id| news.evict(*id, area.id));
    tx.execute(sql::UNASSIGN_AREA, &[area.id.value(), at])?;
    tx.execute(sql::FORGET_COUNT, &[area.id.value()])?;
    tx.execute(sql::DELETE_ENTITIES, &[area.id.value()])?;
    tx.execute(sql::DELETE_AREA, &[area.id.value()])?;
    Ok(news.with(()))
}
