//! The demo: a recording of a real Home Assistant (114 states, 5,290 changes), replayed in a loop
//! through the door, at its own pace or faster. `data/home-assistant/README.md` says what is in it.

use std::{collections::HashSet, io::Read, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use bellwire_services::{
    areas::{self, AreaId, ClientId, SampleArea, SampleClient},
    kit::{Code, Fault, Payload, Principal},
    states,
};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::json;

use crate::{
    accounts::{SAMPLE_PASSWORD, SAMPLES},
    door::Door,
    listeners::say,
    logging::{DISK_FULL_INTERVAL_MS, Throttle},
};

const STATES: &[u8] = include_bytes!("../../../data/home-assistant/states.json.gz");
const CHANGES: &[u8] = include_bytes!("../../../data/home-assistant/changes.jsonl.gz");

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

fn unpack(gzip: &[u8]) -> anyhow::Result<String> {
    let mut text = String::new();
    GzDecoder::new(gzip).read_to_string(&mut text).context("the recording is damaged")?;
    Ok(text)
}

fn recording() -> anyhow::Result<(Vec<Recorded>, Vec<Change>)> {
    let states = serde_json::from_str(&unpack(STATES)?)?;
    let changes = unpack(CHANGES)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((states, changes))
}

/// Makes sure that the demo has the data directory for itself: it replaces and forgets states.
///
/// # Errors
/// When there are states that no demo made.
pub async fn claim(data: &Path, door: &Door) -> anyhow::Result<()> {
    let marker = data.join("demo");
    let is_empty = door.maintain(|tx, _| states::is_empty(tx)).await;
    if !is_empty.map_err(|fault| anyhow!(fault.to_string()))? && !marker.exists() {
        bail!(
            "{} holds states that no demo made, and the demo would replace them; \
             give it a directory of its own with --data.",
            data.display()
        );
    }
    std::fs::write(&marker, "A demo made the states here.\n")
        .with_context(|| format!("Cannot write {}", marker.display()))
}

/// Refuses to serve a demo's data in earnest.
///
/// # Errors
/// When the directory is a demo's.
pub fn refuse(data: &Path) -> anyhow::Result<()> {
    if data.join("demo").exists() {
        bail!(
            "{} is a demo's, whose passwords everyone knows: serve it with --demo, or choose another \
             directory with --data.",
            data.display()
        );
    }
    Ok(())
}

/// The screen of document 001: its area, and one with what the recording is about.
const SCREEN: SampleClient = SampleClient {
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

/// Makes tokens to try and prints them, with the sample users' logins.
///
/// # Errors
/// When the tokens cannot be made.
pub async fn greet(door: &Door) -> anyhow::Result<()> {
    let mut tokens = Vec::new();
    let lights = json!(["states:read:light.*", "states:read:lock.front_door"]);
    for (words, mut request) in [
        ("may do everything", json!({ "role": "admin" })),
        ("reads lights and one lock", json!({ "role": "user", "scopes": lights })),
        (
            "is the screen client_123, with the areas Kitchen and Downstairs",
            json!({ "role": "client", "subject": SCREEN.client }),
        ),
    ] {
        request["ttl"] = 86_400.into();
        let payload = request.as_object().cloned().unwrap_or_default();
        let reply = door.ask("tokens.create", payload, Arc::new(Principal::operator())).await;
        let reply = reply.map_err(|fault| anyhow!(fault.to_string()))?;
        let token: serde_json::Value = serde_json::from_str(reply.get())?;
        tokens.push(format!(
            "  {words} ({}, a day):\n    {}",
            token["id"].as_str().unwrap_or_default(),
            token["token"].as_str().unwrap_or_default()
        ));
    }
    say(&format!(
        "This is a demo: anyone who reaches this machine's loopback may read and write.\n\
         Users to sign in as, password `{SAMPLE_PASSWORD}`: {}\nTokens to try:\n{}\n",
        SAMPLES.map(|sample| sample.login).join(", "),
        tokens.join("\n")
    ));
    Ok(())
}

/// Replays until it is aborted.
pub async fn run(door: Arc<Door>, speed: f64) {
    if let Err(error) = replay(&door, speed).await {
        tracing::error!(%error, "the demo's replay ended");
    }
}

async fn replay(door: &Door, speed: f64) -> anyhow::Result<()> {
    let (states, changes) = recording()?;
    let mut home = Home { door, disk_full: Throttle::new(DISK_FULL_INTERVAL_MS) };
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

#[expect(clippy::disallowed_methods, reason = "the recording has a pace")]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// The home that the recording changes.
struct Home<'a> {
    door: &'a Door,
    disk_full: Throttle,
}

impl Home<'_> {
    async fn set(&mut self, state: &Recorded) {
        let Recorded { entity_id, state, attributes, .. } = state;
        self.call(
            "states:create",
            json!({ "entity_id": entity_id, "state": state, "attributes": attributes }),
        )
        .await;
    }

    async fn remove(&mut self, entity_id: &str) {
        self.call("states:remove", json!({ "entity_id": entity_id })).await;
    }

    async fn call(&mut self, name: &str, payload: serde_json::Value) {
        let serde_json::Value::Object(payload) = payload else { return };
        match self.door.ask(name, payload, Arc::new(Principal::system())).await {
            Ok(_) | Err(Fault { code: Code::NotFound, .. }) => {}
            Err(fault) => {
                let now_ms = self.door.clock.elapsed_ms();
                if fault.code != Code::Full || self.disk_full.admit(now_ms).is_some() {
                    tracing::warn!(%fault, "a recorded change was refused");
                }
            }
        }
    }
}
