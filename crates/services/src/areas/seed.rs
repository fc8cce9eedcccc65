//! Areas and a client that are there from the start: the demo's.

use super::{
    clients,
    contract::{Area, AreaId, ClientId, EntityIds},
    decide, news, sql,
};
use crate::{
    kit::{Fault, Micros, Tx},
    states::EntityId,
};

/// A sample client and its areas, whose ids are known to the documents' clients.
#[derive(Debug, Clone, Copy)]
pub struct SampleClient {
    /// The id of the client.
    pub client: ClientId,
    /// What people call it.
    pub name: &'static str,
    /// The areas that it has.
    pub areas: &'static [SampleArea],
}

/// A sample area.
#[derive(Debug, Clone, Copy)]
pub struct SampleArea {
    /// The id of the area.
    pub area: AreaId,
    /// What people call it.
    pub name: &'static str,
    /// What is in it.
    pub entities: &'static [&'static str],
}

/// Adds a sample client and its areas, unless the client is there. Its access begins anew, if it was revoked.
///
/// # Errors
/// The store's.
pub fn add_sample(tx: &mut Tx<'_>, now: Micros, sample: &SampleClient) -> Result<(), Fault> {
    if tx.one(sql::CLIENT, &[sample.client.value()], |_| ())?.is_some() {
        return tx.execute(sql::ADMIT_CLIENT, &[sample.client.value()]).map(drop);
    }
    clients::insert_as(tx, now, sample.client, sample.name)?;
    let since = news::offset_value(tx.head()?);
    for SampleArea { area, name, entities } in sample.areas {
        clients::give(tx, sample.client, *area, since)?;
        if tx.one(sql::AREA, &[area.value()], |_| ())?.is_some() {
            continue;
        }
        let entities = entities.iter().filter_map(|id| EntityId::parse(id));
        let area = Area {
            id: *area,
            name: (*name).to_owned(),
            entity_ids: EntityIds(entities.collect()),
            is_enabled: true,
            created_at: now,
            updated_at: now,
        };
        decide::insert(tx, &area)?;
    }
    Ok(())
}
