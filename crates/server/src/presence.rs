//! Which paired clients are connected: counted as connections come and go, and written down in the pace of a
//! person who looks, so that a house that comes back at once is one row and one event.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bellwire_services::{
    areas::{self, PRESENT_MAX},
    kit::{Code, Fault, Payload, Principal},
};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::door::Door;

/// How often changes are written down.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often it is written down that those who are here still are, in intervals: every five minutes.
const STILL_HERE_EVERY: u64 = 1_200;

/// Who is connected.
#[derive(Debug, Default)]
pub struct Presence {
    /// A `Mutex`: shards count, the task below and the metrics look; each holds it for nanoseconds.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Connections, by client.
    connections: HashMap<Arc<str>, u32>,
    /// Who came or went since it was written down.
    changed: HashSet<Arc<str>>,
    /// Who is connected, as it was written down.
    noted: HashSet<Arc<str>>,
}

/// One connection of a client: it counts as long as this lives.
#[derive(Debug)]
pub struct Attendance {
    client: Arc<str>,
    presence: Arc<Presence>,
}

impl Presence {
    /// A connection begins. Only those of paired clients are counted.
    pub fn attend(self: &Arc<Self>, principal: &Principal) -> Option<Attendance> {
        let client = &*areas::rights::caller(principal)?.to_string();
        tracing::info!("[WebSocket] Client {client} registered for notifications");
        let mut known = self.lock();
        let client: Arc<str> = match known.connections.get_key_value(client) {
            Some((client, _)) => client.clone(),
            None => client.into(),
        };
        let count = known.connections.entry(client.clone()).or_default();
        *count += 1;
        if *count == 1 {
            known.changed.insert(client.clone());
        }
        drop(known);
        Some(Attendance { client, presence: self.clone() })
    }

    /// How many clients are connected.
    pub fn len(&self) -> usize {
        self.lock().connections.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to [`PRESENT_MAX`] clients that came or went since they were taken last, and are not as they were then.
    fn take_changes(&self) -> areas::Presence {
        let mut known = self.lock();
        let all = mem::take(&mut known.changed);
        let (mut came, mut went) = (Vec::new(), Vec::new());
        for client in all {
            if came.len() + went.len() == PRESENT_MAX {
                known.changed.insert(client);
                continue;
            }
            match (known.connections.contains_key(&client), known.noted.contains(&client)) {
                (true, false) => came.push(client),
                (false, true) => went.push(client),
                _ => {}
            }
        }
        known.noted.extend(came.iter().cloned());
        for client in &went {
            known.noted.remove(client);
        }
        let texts = |ids: Vec<Arc<str>>| ids.iter().map(|id| id.to_string()).collect();
        areas::Presence { came: texts(came), went: texts(went) }
    }

    /// What could not be written down is to be.
    fn give_back(&self, changes: &areas::Presence) {
        let mut known = self.lock();
        for client in &changes.came {
            known.noted.remove(client.as_str());
        }
        known.noted.extend(changes.went.iter().map(|client| client.as_str().into()));
        let all = changes.came.iter().chain(&changes.went);
        known.changed.extend(all.map(|client| client.as_str().into()));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics under this lock")
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut known = self.presence.lock();
        if let Some(count) = known.connections.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                known.connections.remove(&self.client);
                known.changed.insert(self.client.clone());
            }
        }
    }
}

/// Writes down who comes and goes, until it is aborted.
pub async fn run(door: Arc<Door>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 1_u64.. {
        ticks.tick().await;
        note(&door).await;
        if tick.is_multiple_of(STILL_HERE_EVERY) {
            let noted = door.maintain(areas::still_here).await;
            noted.unwrap_or_else(|fault| complain(&fault));
        }
    }
}

/// Writes down once who came and went.
async fn note(door: &Door) {
    loop {
        let changes = door.presence.take_changes();
        if changes.came.is_empty() && changes.went.is_empty() {
            return;
        }
        let payload: Payload = match json!(changes) {
            serde_json::Value::Object(payload) => payload,
            _ => return,
        };
        if let Err(fault) =
            door.ask("clients.present", payload, Arc::new(Principal::system())).await
        {
            door.presence.give_back(&changes);
            complain(&fault);
            return;
        }
    }
}

/// A full disk is told elsewhere.
fn complain(fault: &Fault) {
    if fault.code != Code::Full {
        tracing::warn!(%fault, "who is connected is noted later");
    }
}

#[cfg(test)]
mod tests {
    use bellwire_services::kit::Role;

    use super::*;

    fn client(id: &str) -> Principal {
        Principal { role: Role::Client, subject: Some(id.to_owned()), ..Principal::guest() }
    }

    /// What is to be written down, as `+client_1-client_2`.
    fn changes(presence: &Presence) -> String {
        let mut changes = presence.take_changes();
        changes.came.sort();
        changes.went.sort();
        let came = changes.came.iter().map(|id| format!("+{id}"));
        came.chain(changes.went.iter().map(|id| format!("-{id}"))).collect()
    }

    #[test]
    fn a_client_is_here_as_long_as_one_of_its_connections_is() {
        let presence = Arc::new(Presence::default());
        let [one, two] = [(); 2].map(|()| presence.attend(&client("client_1")));
        assert!(presence.attend(&Principal::guest()).is_none());
        assert_eq!((presence.len(), changes(&presence)), (1, "+client_1".into()));
        drop(one);
        assert_eq!((presence.len(), changes(&presence)), (1, String::new()));
        drop(two);
        assert_eq!((presence.is_empty(), changes(&presence)), (true, "-client_1".into()));
        drop(presence.attend(&client("client_1")));
        assert_eq!(changes(&presence), "", "it came and went in between");
        let here = presence.attend(&client("client_2"));
        let taken = presence.take_changes();
        presence.give_back(&taken);
        assert_eq!(changes(&presence), "+client_2", "what could not be written comes again");
        drop(here);
        let taken = presence.take_changes();
        let back = presence.attend(&client("client_2"));
        presence.give_back(&taken);
        assert_eq!(changes(&presence), "", "it is back, as it was written down");
        drop(back);
    }

    #[test]
    fn many_are_written_down_in_portions() {
        let presence = Arc::new(Presence::default());
        let ids: Vec<String> =
            (0..PRESENT_MAX + 1).map(|number| format!("client_{}", number + 1)).collect();
        let all: Vec<_> = ids.iter().map(|id| presence.attend(&client(id))).collect();
        let portions = [(); 3].map(|()| presence.take_changes().came.len());
        assert_eq!(portions, [PRESENT_MAX, 1, 0]);
        drop(all);
    }
}
