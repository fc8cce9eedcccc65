//! The demo's home: a recording of a real Home Assistant (114 states, 5,290 changes), replayed in a loop through the
//! door, at its own pace or faster. `data/home-assistant/README.md` says what is in it.

use std::{collections::HashSet, time::Duration};

use anyhow::anyhow;
use bellwire_services::{
    areas::{self, AreaId, ClientId, SampleArea, SampleClient},
    kit::Payload,
};
use serde::Deserialize;
use serde_json::json;

use super::{Caller, unpack, wait};
use crate::door::Door;

const STATES: &[u8] = include_bytes!("../../../../data/home-assistant/states.json.gz");
const CHANGES: &[u8] = include_bytes!("../../../../data/home-assistant/changes.jsonl.gz");

/// A state as Home Assistant writes it, as far as it is needed here.
#[derive(Debug, Clone, Deserialize)]
struct Recorded {
    entity_id: String,
    state: String,
    attributes: Payload,
    last_updated: jiff::Timestamp,
}

/// A line of the recording.
#[derive(Debug, Deserialize)]
struct Change {
    entity_id: String,
    new_state: Option<Recorded>,
}

fn recording() -> anyhow::Result<(Vec<Recorded>, Vec<Change>)> {
    let states = serde_json::from_str(&unpack(STATES)?)?;
    let changes = unpack(CHANGES)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((states, changes))
}

/// The screen of document 001: its area, and one with what the recording is about.
pub(super) const SCREEN: SampleClient = SampleClient {
    client: ClientId(123),
    name: "Kitchen tablet",
    areas: &[
        SampleArea { area: AreaId(123), name: "Kitchen", entities: &["light.kitchen"] },
        SampleArea {
            area: AreaId(124),
            name: "Downstairs",
            entities: &[
                "light.kitchen_lights",
                "light.living_room_rgbww_lights",
                "climate.ecobee",
                "cover.kitchen_window",
                "cover.hall_window",
                "lock.kitchen_door",
                "media_player.kitchen",
            ],
        },
    ],
};

/// Makes the sample screen and its areas, if it is not there yet.
///
/// # Errors
/// The store's.
pub async fn add_area(door: &Door) -> anyhow::Result<()> {
    let added = door.maintain(|tx, now| areas::add_sample(tx, now, &SCREEN)).await;
    added.map_err(|fault| anyhow!(fault.to_string()))
}

/// Replays until it is aborted.
///
/// # Errors
/// When the recording is damaged.
pub(super) async fn replay(door: &Door, speed: f64) -> anyhow::Result<()> {
    let (states, changes) = recording()?;
    let mut home = Home(Caller::new(door));
    // An entity that an earlier run left behind, and the recording does not begin with, is removed.
    let initial: HashSet<&str> = states.iter().map(|state| state.entity_id.as_str()).collect();
    let later: HashSet<&str> = changes.iter().map(|change| change.entity_id.as_str()).collect();
    loop {
        for entity_id in later.difference(&initial) {
            home.remove(entity_id).await;
        }
        for state in &states {
            home.set(state).await;
        }
        let mut last = None;
        for change in &changes {
            let at = change.new_state.as_ref().map(|state| state.last_updated);
            if let (Some(at), Some(last)) = (at, last) {
                let pause = Duration::try_from(at.duration_since(last)).unwrap_or_default();
                wait(pause.div_f64(speed)).await;
            }
            last = at.or(last);
            match &change.new_state {
                Some(state) => home.set(state).await,
                None => home.remove(&change.entity_id).await,
            }
        }
    }
}

/// The home that the recording changes.
struct Home<'a>(Caller<'a>);

impl Home<'_> {
    async fn set(&mut self, state: &Recorded) {
        let Recorded { entity_id, state, attributes, .. } = state;
        let state = json!({ "entity_id": entity_id, "state": state, "attributes": attributes });
        self.0.call("states:create", state).await;
    }

    async fn remove(&mut self, entity_id: &str) {
        self.0.call("states:remove", json!({ "entity_id": entity_id })).await;
    }
}
