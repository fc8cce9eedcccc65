//! The demo: what there is to see on a server to which nothing is connected.
//!
//! | module | what is in it |
//! |---|---|
//! | `home` | a recorded home, replayed, and a screen that hangs in it |
//! | `people` | what the sample users have talked about |
//! | `weather` | series of weather stations, read from files as they were published |
//! | `sensors` | devices that show these: what they measured before, and what they measure now |
//! | `stations` | stations of batteries, some of them booked by sample users |
//!
//! Here: whose data directory is a demo's, and what a demo says as it starts.
//!
//! What happens in a demo comes through the door, like the calls of everyone else. Only what has happened before, such
//! as a year of weather, is written by itself.

mod home;
mod people;
mod sensors;
mod stations;
mod weather;

use std::{io::Read, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use bellwire_services::{
    kit::{Code, Fault, Principal, Tx},
    states,
};
use flate2::read::GzDecoder;
use serde_json::{Value, json};

pub use home::add_area;
pub use people::add_talk;
pub use sensors::{Shown, add_devices};
pub use stations::add_stations;

use crate::{
    accounts::{SAMPLE_PASSWORD, SAMPLES},
    door::Door,
    listeners::say,
    logging::{DISK_FULL_INTERVAL_MS, Throttle},
};

/// Makes sure that the demo has the data directory for itself: it replaces and forgets states, and adds devices.
///
/// # Errors
/// When there are states or devices that no demo made.
pub async fn claim(data: &Path, door: &Door) -> anyhow::Result<()> {
    let marker = data.join("demo");
    let look = |tx: &mut Tx<'_>, _| {
        let states = (!states::is_empty(tx)?).then_some("states");
        let devices = (!bellwire_services::sensors::is_empty(tx)?).then_some("devices");
        Ok(states.or(devices))
    };
    let found = door.maintain(look).await.map_err(words)?;
    if let Some(found) = found.filter(|_| !marker.exists()) {
        let would = if found == "states" { "replace them" } else { "add its own" };
        bail!(
            "{} holds {found} that no demo made, and the demo would {would}; \
             give it a directory of its own with --data.",
            data.display()
        );
    }
    std::fs::write(&marker, "A demo made what is here.\n")
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

/// Makes tokens to try and prints them, with the sample users' logins. `url` is where the demo will listen.
///
/// # Errors
/// When the tokens cannot be made.
pub async fn greet(door: &Door, url: &str) -> anyhow::Result<()> {
    let lights = json!(["states:read:light.*", "states:read:lock.front_door"]);
    let board = sensors::board();
    let post = format!(
        "curl {url}api/readings -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \
         -d '{{\"sensor_id\":{},\"value\":25.5}}'",
        board.sensors[0].sensor
    );
    let mut tokens = Vec::new();
    for (words, mut request, how) in [
        ("may do everything".to_owned(), json!({ "role": "admin" }), None),
        ("reads lights and one lock".to_owned(), json!({ "role": "user", "scopes": lights }), None),
        (
            "is the screen client_123, with the areas Kitchen and Downstairs".to_owned(),
            json!({ "role": "client", "subject": home::SCREEN.client }),
            None,
        ),
        (
            format!("is the board of {}, device {}", board.name, board.device),
            json!({ "role": "device", "subject": board.device.to_string() }),
            Some(post),
        ),
    ] {
        request["ttl"] = 86_400.into();
        let payload = request.as_object().cloned().unwrap_or_default();
        let reply = door.ask("tokens.create", payload, Arc::new(Principal::operator())).await;
        let reply = reply.map_err(self::words)?;
        let token: Value = serde_json::from_str(reply.get())?;
        tokens.push(format!(
            "  {words} ({}, a day):\n    {}",
            token["id"].as_str().unwrap_or_default(),
            token["token"].as_str().unwrap_or_default()
        ));
        tokens.extend(how.map(|how| format!("  and posts a reading, as TOKEN, by\n    {how}")));
    }
    say(&format!(
        "This is a demo: anyone who reaches this machine's loopback may read and write.\n\
         Users to sign in as, password `{SAMPLE_PASSWORD}`: {}\nTokens to try:\n{}\n",
        SAMPLES.map(|sample| sample.login).join(", "),
        tokens.join("\n")
    ));
    Ok(())
}

/// Replays the home, and lets sensors measure, until it is aborted. `speed` is how many times faster than at their own
/// pace.
pub async fn run(door: Arc<Door>, speed: f64, shown: Shown) {
    let home = async {
        if let Err(error) = home::replay(&door, speed).await {
            tracing::error!(%error, "the demo's replay ended");
        }
    };
    tokio::join!(home, sensors::run(&door, speed, &shown));
}

/// Who makes the calls of a replay. What is refused is logged, a full disk now and then.
struct Caller<'a> {
    door: &'a Door,
    disk_full: Throttle,
}

impl Caller<'_> {
    fn new(door: &Door) -> Caller<'_> {
        Caller { door, disk_full: Throttle::new(DISK_FULL_INTERVAL_MS) }
    }

    /// Makes a call. What it is about may be gone.
    async fn call(&mut self, name: &str, payload: Value) {
        let Value::Object(payload) = payload else { return };
        match self.door.ask(name, payload, Arc::new(Principal::system())).await {
            Ok(_) | Err(Fault { code: Code::NotFound, .. }) => {}
            Err(fault) => self.complain(&fault),
        }
    }

    fn complain(&mut self, fault: &Fault) {
        let now_ms = self.door.clock.elapsed_ms();
        if fault.code != Code::Full || self.disk_full.admit(now_ms).is_some() {
            tracing::warn!(%fault, "what the demo wanted was refused");
        }
    }
}

fn words(fault: Fault) -> anyhow::Error {
    anyhow!(fault.to_string())
}

/// A file that is carried, as text.
fn unpack(gzip: &[u8]) -> anyhow::Result<String> {
    let mut text = String::new();
    GzDecoder::new(gzip).read_to_string(&mut text).context("a file of the demo is damaged")?;
    Ok(text)
}

#[expect(clippy::disallowed_methods, reason = "what is replayed has a pace")]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}
