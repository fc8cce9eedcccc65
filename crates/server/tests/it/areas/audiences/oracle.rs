//! Who may hear what, by the rules alone: no event that a client was not entitled to when it was committed and when
//! it is told, and each that it was.

use std::collections::{BTreeMap, BTreeSet};

/// How many clients there are.
pub const CLIENTS: usize = 3;

/// An area.
#[derive(Debug, Clone)]
pub struct Area {
    pub name: String,
    pub entity_ids: BTreeSet<String>,
    pub is_enabled: bool,
}

/// By what a client is entitled to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Via {
    /// It is for this client.
    Own,
    /// It has one of these areas.
    Areas(Vec<String>),
}

/// What was committed.
#[derive(Debug)]
pub struct Entry {
    /// What it is, as a text to compare.
    pub key: String,
    /// The entity of which it tells a state.
    pub entity_id: Option<String>,
    via: [Option<Via>; CLIENTS],
}

/// All there is.
#[derive(Debug, Default)]
pub struct World {
    pub areas: BTreeMap<String, Area>,
    /// The areas of each client, and the place in the log from which on it has them.
    pub held: [BTreeMap<String, usize>; CLIENTS],
    pub log: Vec<Entry>,
    /// What each client may know of: names of areas and entities, and states.
    pub known: [BTreeSet<String>; CLIENTS],
    /// From which place of the log on each client acknowledges, if it does, and what it has acknowledged.
    pub asked: [(Option<usize>, BTreeSet<usize>); CLIENTS],
}

impl World {
    /// Whether a client may read an entity.
    pub fn reads(&self, client: usize, entity_id: &str) -> bool {
        self.areas_with(entity_id).iter().any(|id| self.held[client].contains_key(id))
    }

    fn areas_with(&self, entity_id: &str) -> Vec<String> {
        let with = |area: &Area| area.is_enabled && area.entity_ids.contains(entity_id);
        self.areas.iter().filter(|(_, area)| with(area)).map(|(id, _)| id.clone()).collect()
    }

    /// Whether a client was entitled to what stands at this place of the log.
    pub fn was_for(&self, client: usize, at: usize) -> bool {
        self.log[at].via[client].is_some()
    }

    /// And whether it still is.
    pub fn is_for(&self, client: usize, at: usize) -> bool {
        let entry = &self.log[at];
        let holds = match &entry.via[client] {
            None => false,
            Some(Via::Own) => true,
            // A state that it might read then it may read now by another area.
            Some(Via::Areas(_)) if entry.entity_id.is_some() => true,
            Some(Via::Areas(ids)) => {
                ids.iter().any(|id| self.held[client].get(id).is_some_and(|since| *since <= at))
            }
        };
        holds && entry.entity_id.as_ref().is_none_or(|id| self.reads(client, id))
    }

    /// A client comes that acknowledges: what it is told first.
    pub fn unacknowledged(&mut self, client: usize) -> Vec<usize> {
        let here = self.log.len();
        let since = *self.asked[client].0.get_or_insert(here);
        let is_due = |at: &usize| {
            let is_critical = self.log[*at].entity_id.is_none();
            is_critical && self.is_for(client, *at) && !self.asked[client].1.contains(at)
        };
        (since..here).filter(is_due).collect()
    }

    fn push(
        &mut self,
        key: String,
        entity_id: Option<&str>,
        canaries: &[&str],
        via: [Option<Via>; CLIENTS],
    ) {
        for (client, _) in via.iter().enumerate().filter(|(_, via)| via.is_some()) {
            self.known[client].extend(canaries.iter().map(|text| (*text).to_owned()));
        }
        self.log.push(Entry { key, entity_id: entity_id.map(str::to_owned), via });
    }

    fn tell_of(&mut self, event: &str, id: &str, area: &Area, via: [Option<Via>; CLIENTS]) {
        let canaries: Vec<&str> =
            area.entity_ids.iter().chain([&area.name]).map(String::as_str).collect();
        self.push(format!("{event} {id} {}", area.name), None, &canaries, via);
    }

    fn holders(&self, id: &str) -> [Option<Via>; CLIENTS] {
        let via = |held: &BTreeMap<String, usize>| {
            held.contains_key(id).then(|| Via::Areas(vec![id.to_owned()]))
        };
        self.held.each_ref().map(via)
    }

    /// An area is there, or is like this from now on.
    pub fn set(&mut self, id: &str, area: Area) {
        let before = self.areas.insert(id.to_owned(), area.clone());
        let Some(before) = before else { return };
        self.tell_of("area_updated", id, &area, self.holders(id));
        if area.is_enabled != before.is_enabled {
            self.tell_toggled(id, &area);
        }
    }

    fn tell_toggled(&mut self, id: &str, area: &Area) {
        let event = if area.is_enabled { "area_enabled" } else { "area_disabled" };
        self.tell_of(event, id, area, self.holders(id));
    }

    /// An area is switched.
    pub fn toggle(&mut self, id: &str) {
        let area = self.areas.get_mut(id).expect("it is there");
        area.is_enabled = !area.is_enabled;
        let area = area.clone();
        self.tell_toggled(id, &area);
    }

    /// An area is taken away.
    pub fn delete(&mut self, id: &str) {
        let area = self.areas.remove(id).expect("it is there");
        let own = self.held.each_ref().map(|held| held.contains_key(id).then_some(Via::Own));
        for held in &mut self.held {
            held.remove(id);
        }
        self.tell_of("area_removed", id, &area, own);
    }

    /// A client has these areas from now on.
    pub fn assign(&mut self, client: usize, ids: &BTreeSet<String>) {
        let own = || {
            let mut via = [const { None }; CLIENTS];
            via[client] = Some(Via::Own);
            via
        };
        let before: BTreeSet<String> = self.held[client].keys().cloned().collect();
        let number = |id: &&String| id.rsplit('_').next().and_then(|n| n.parse::<u64>().ok());
        for (event, some) in
            [("area_removed", before.difference(ids)), ("area_added", ids.difference(&before))]
        {
            let mut some: Vec<&String> = some.collect();
            some.sort_by_key(number);
            for id in some {
                let area = self.areas[id].clone();
                self.tell_of(event, id, &area, own());
            }
        }
        let here = self.log.len();
        self.held[client].retain(|id, _| ids.contains(id));
        for id in ids {
            self.held[client].entry(id.clone()).or_insert(here);
        }
    }

    /// An entity is like this from now on; `None`: it is not there.
    pub fn state(&mut self, entity_id: &str, state: Option<&str>) {
        let areas = self.areas_with(entity_id);
        let via = |held: &BTreeMap<String, usize>| {
            let through: Vec<String> =
                areas.iter().filter(|id| held.contains_key(*id)).cloned().collect();
            (!through.is_empty()).then_some(Via::Areas(through))
        };
        let via = self.held.each_ref().map(via);
        let canaries: Vec<&str> = state.into_iter().chain([entity_id]).collect();
        let key = format!("state_changed {entity_id} {}", state.unwrap_or("null"));
        self.push(key, Some(entity_id), &canaries, via);
    }
}
