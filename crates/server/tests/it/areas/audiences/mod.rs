//! Whatever an admin does to areas and clients, and whoever comes and goes meanwhile: each connection of each client
//! is told what it may hear ([`oracle`]), in order and once, and in all the bytes that it receives nothing is named
//! that it may not know of. Areas, entities and states have names of their own, none twice.
//!
//! Every run has the same seeds. A failure prints its seed; `BELLWIRE_TEST_AREAS_SEED=17` runs that one alone, `1..100`
//! so many.

mod oracle;
mod reader;

use std::{
    collections::BTreeSet,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Paired,
    ear::{FENCE, Scene},
    text,
};
use oracle::{Area, CLIENTS, World};
use reader::{Kind, Reader};

use crate::harness::seeds;

/// The seeds, one for each life, and what names others.
const SEEDS: Range<u64> = 1..6;
const SEED: &str = "BELLWIRE_TEST_AREAS_SEED";
/// Steps in one life of a server.
const STEPS: usize = 250;
/// How long all lives may take.
const TIME_MAX: Duration = Duration::from_secs(8);
/// The entity whose states are a fence for who does not listen to areas.
const FENCE_ENTITY: &str = "sensor.fence";
/// The most areas beside the fence.
const AREAS_MAX: usize = 5;

/// Chance that a seed repeats: SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn some<T: Clone>(&mut self, of: &[T]) -> Vec<T> {
        of.iter().filter(|_| self.one_in(2)).cloned().collect()
    }
}

/// A server's life.
struct Life {
    /// Always there but for a moment between two servers.
    scene: Option<Scene>,
    world: World,
    clients: Vec<Paired>,
    readers: Vec<Reader>,
    entities: Vec<String>,
    /// Entities that have a state.
    alive: BTreeSet<String>,
    chance: Chance,
    canaries: u32,
}

impl Life {
    fn new(seed: u64) -> Life {
        let scene = Scene::new();
        scene.change(FENCE, &json!({ "entityIds": [FENCE_ENTITY] }));
        let clients: Vec<Paired> =
            (0..CLIENTS).map(|n| scene.pair(&format!("c{n}"), &[])).collect();
        let mut world = World::default();
        let entity_ids = BTreeSet::from([FENCE_ENTITY.to_owned()]);
        world.set(FENCE, Area { name: "fence".into(), entity_ids, is_enabled: true });
        let all = |client| Kind::ALL.map(|kind| Reader::new(client, kind));
        let mut life = Life {
            scene: Some(scene),
            world,
            clients,
            readers: (0..CLIENTS).flat_map(all).collect(),
            entities: Vec::new(),
            alive: BTreeSet::new(),
            chance: Chance(seed),
            canaries: 0,
        };
        for client in 0..CLIENTS {
            life.world.assign(client, &BTreeSet::from([FENCE.to_owned()]));
        }
        life.entities = (0..6).map(|_| format!("light.{}", life.canary())).collect();
        (0..3).for_each(|_| life.create());
        (0..CLIENTS).for_each(|client| life.assign_some(client));
        for at in 0..life.readers.len() {
            life.come(at);
        }
        life.fence();
        life
    }

    fn scene(&self) -> &Scene {
        self.scene.as_ref().expect("it is there")
    }

    fn canary(&mut self) -> String {
        self.canaries += 1;
        format!("canary{}", self.canaries)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let ask = self.scene().house.ask(method, path);
        let answer = if body.is_null() { ask.send() } else { ask.json(body).send() };
        assert!(matches!(answer.status, 200 | 201 | 204), "{method} {path} {body}: {answer:?}");
        answer.json()
    }

    /// The world changes, and whoever is there is to hear of that.
    fn happens(&mut self, change: impl FnOnce(&mut World)) {
        let before = self.world.log.len();
        change(&mut self.world);
        self.readers.iter_mut().for_each(|reader| reader.note(&self.world, before));
    }

    /// Everybody reads up to here, and was told what was due.
    fn fence(&mut self) {
        let name = self.canary();
        let entity_ids = BTreeSet::from([FENCE_ENTITY.to_owned()]);
        self.ask("PATCH", &format!("/api/areas/{FENCE}"), &json!({ "name": name }));
        let area = Area { name: name.clone(), entity_ids, is_enabled: true };
        self.happens(|world| world.set(FENCE, area));
        self.ask("POST", &format!("/api/states/{FENCE_ENTITY}"), &json!({ "state": name }));
        self.happens(|world| world.state(FENCE_ENTITY, Some(&name)));
        self.alive.insert(FENCE_ENTITY.to_owned());
        self.readers.iter_mut().for_each(|reader| reader.check(&self.world));
        for reader in &mut self.readers {
            reader.acknowledge(&mut self.world, || self.chance.one_in(3));
        }
        // A write that changes nothing: behind it the acknowledgements are kept.
        let same = json!({ "isEnabled": true });
        self.ask("PATCH", &format!("/api/areas/{FENCE}/toggle"), &same);
        let client = self.chance.below(CLIENTS);
        self.compare(client);
    }

    /// What a client is shown when it asks is what the oracle says.
    fn compare(&self, client: usize) {
        let shown = |path: &str, key: &str| -> BTreeSet<String> {
            let server = &self.scene().house.server;
            let list = server.ask("GET", path).bearer(&self.clients[client].token).expect(200);
            let items = list["items"].as_array().expect("a list").iter();
            items.map(|item| text(item, key)).collect()
        };
        let areas: BTreeSet<String> = self.world.held[client].keys().cloned().collect();
        assert_eq!(shown("/api/areas", "id"), areas, "client {client}");
        let read = self.alive.iter().filter(|id| self.world.reads(client, id)).cloned().collect();
        assert_eq!(shown("/api/states", "entity_id"), read, "client {client}");
    }

    fn come(&mut self, at: usize) {
        let reader = &mut self.readers[at];
        let scene = self.scene.as_ref().expect("it is there");
        reader.come(&scene.house.server, &self.clients[reader.client], &mut self.world);
    }

    fn create(&mut self) {
        let name = self.canary();
        let entity_ids = self.chance.some(&self.entities);
        let is_enabled = !self.chance.one_in(4);
        let body = json!({ "name": name, "entityIds": entity_ids, "isEnabled": is_enabled });
        let id = text(&self.ask("POST", "/api/areas", &body), "id");
        let area = Area { name, entity_ids: entity_ids.into_iter().collect(), is_enabled };
        self.happens(|world| world.set(&id, area));
    }

    /// One of the areas beside the fence.
    fn any(&mut self) -> Option<String> {
        let ids: Vec<&String> = self.world.areas.keys().filter(|id| *id != FENCE).collect();
        if ids.is_empty() {
            return None;
        }
        Some(ids[self.chance.below(ids.len())].clone())
    }

    /// A change of an area, as a request's body and as what it is then.
    fn edit(&mut self, id: &str) -> (Value, Area) {
        let name = self.canary();
        let mut area = Area { name: name.clone(), ..self.world.areas[id].clone() };
        let mut body = json!({ "name": name });
        if self.chance.one_in(2) {
            let entity_ids = self.chance.some(&self.entities);
            body["entityIds"] = json!(entity_ids);
            area.entity_ids = entity_ids.into_iter().collect();
        }
        if self.chance.one_in(3) {
            area.is_enabled = self.chance.one_in(2);
            body["isEnabled"] = area.is_enabled.into();
        }
        (body, area)
    }

    fn change(&mut self, id: &str) {
        let (body, area) = self.edit(id);
        self.ask("PATCH", &format!("/api/areas/{id}"), &body);
        self.happens(|world| world.set(id, area));
    }

    fn change_many(&mut self) {
        let mut ids: Vec<String> =
            self.world.areas.keys().filter(|id| *id != FENCE).cloned().collect();
        ids = self.chance.some(&ids);
        let edits: Vec<(String, Value, Area)> = ids
            .into_iter()
            .map(|id| {
                let (mut body, area) = self.edit(&id);
                body["id"] = id.as_str().into();
                (id, body, area)
            })
            .collect();
        let bodies: Vec<&Value> = edits.iter().map(|(_, body, _)| body).collect();
        self.ask("PATCH", "/api/areas", &json!(bodies));
        self.happens(|world| edits.into_iter().for_each(|(id, _, area)| world.set(&id, area)));
    }

    /// A client gets and loses areas, one or all at once.
    fn assign(&mut self) {
        let client = self.chance.below(CLIENTS);
        let mut ids: BTreeSet<String> = self.world.held[client].keys().cloned().collect();
        let path = format!("/api/clients/{}/areas", self.clients[client].id);
        let Some(id) = self.any() else { return };
        match self.chance.below(4) {
            0 => return self.assign_some(client),
            1 => {
                ids.remove(&id);
                self.ask("DELETE", &format!("{path}/{id}"), &Value::Null);
            }
            _ => {
                ids.insert(id.clone());
                self.ask("PUT", &format!("{path}/{id}"), &Value::Null);
            }
        }
        self.happens(|world| world.assign(client, &ids));
    }

    /// A client has some areas, whichever it had.
    fn assign_some(&mut self, client: usize) {
        let all: Vec<String> = self.world.areas.keys().cloned().collect();
        let ids: BTreeSet<String> =
            self.chance.some(&all).into_iter().chain([FENCE.to_owned()]).collect();
        let path = format!("/api/clients/{}/areas", self.clients[client].id);
        self.ask("PUT", &path, &json!({ "areaIds": ids }));
        self.happens(|world| world.assign(client, &ids));
    }

    fn write(&mut self) {
        let entity_id = self.entities[self.chance.below(self.entities.len())].clone();
        let path = format!("/api/states/{entity_id}");
        if self.chance.one_in(8) && self.alive.remove(&entity_id) {
            self.ask("DELETE", &path, &Value::Null);
            self.happens(|world| world.state(&entity_id, None));
            return;
        }
        let state = self.canary();
        self.ask("POST", &path, &json!({ "state": state }));
        self.alive.insert(entity_id.clone());
        self.happens(|world| world.state(&entity_id, Some(&state)));
    }

    /// A connection ends, or comes back; then with the place that it knows, or without.
    fn turn(&mut self) {
        let at = self.chance.below(self.readers.len());
        if self.readers[at].is_there() {
            return self.readers[at].leave();
        }
        if self.chance.one_in(4) {
            self.readers[at].forget();
        }
        self.come(at);
        self.fence();
    }

    /// The server is killed. All come back some time.
    fn crash(&mut self) {
        self.readers.iter_mut().for_each(Reader::leave);
        self.scene = self.scene.take().map(Scene::killed);
    }

    fn step(&mut self) {
        match self.chance.below(40) {
            0..12 => self.write(),
            12..20 => self.assign(),
            20..24 => {
                let id = self.any();
                id.into_iter().for_each(|id| self.change(&id));
            }
            24..27 => {
                let Some(id) = self.any() else { return };
                self.ask("PATCH", &format!("/api/areas/{id}/toggle"), &Value::Null);
                self.happens(|world| world.toggle(&id));
            }
            27..29 => self.change_many(),
            29 if self.world.areas.len() <= AREAS_MAX => self.create(),
            29 | 30 => {
                let Some(id) = self.any() else { return };
                self.ask("DELETE", &format!("/api/areas/{id}"), &Value::Null);
                self.happens(|world| world.delete(&id));
            }
            31..39 => self.turn(),
            _ => self.fence(),
        }
    }
}

/// Runs a life, and gives how many events there were for somebody.
fn live(seed: u64) -> usize {
    let mut life = Life::new(seed);
    let crash_at = life.chance.below(2 * STEPS);
    for step in 0..STEPS {
        if step == crash_at {
            life.crash();
        }
        life.step();
    }
    for at in 0..life.readers.len() {
        if !life.readers[at].is_there() {
            life.come(at);
        }
    }
    life.fence();
    let world = &life.world;
    let heard = |at: &usize| (0..CLIENTS).any(|client| world.was_for(client, *at));
    (0..world.log.len()).filter(heard).count()
}

#[test]
fn everybody_hears_what_is_theirs_and_nothing_else() {
    let (began, mut lives, mut heard) = (Instant::now(), 0, 0);
    let is_usual = std::env::var(SEED).is_err();
    for seed in seeds(SEED, SEEDS) {
        if lives > 0 && is_usual && began.elapsed() > TIME_MAX {
            break;
        }
        heard += catch_unwind(AssertUnwindSafe(|| live(seed))).unwrap_or_else(|why| {
            eprintln!("{SEED}={seed}");
            resume_unwind(why)
        });
        lives += 1;
    }
    // Where nothing happens nothing is tested.
    assert!(heard > 30 * lives as usize, "{heard} events in {lives} lives");
}
