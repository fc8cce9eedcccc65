//! What a client makes of what it hears, and whether that is right.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use bellwire_store::change::Offset;
use serde_json::Value as Json;

use super::{
    oracle::{Oracle, Row},
    socket::{Body, Frame},
};

/// A filter: only these entities.
pub type Filter = Option<BTreeSet<String>>;

/// How a connection asked to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// With what comes next, without cursors.
    Unasked,
    /// With what comes next.
    Now,
    /// After this place.
    Place(Offset),
    /// After a cursor that is none of this log's.
    Nonsense,
}

/// What the other side knows of a subscription.
#[derive(Debug, Clone, Default)]
pub struct Subscribed {
    pub filter: Filter,
    /// What the hub had told the session when it was asked for: that comes before the snapshot.
    pub owed: Offset,
    /// The place of the newest snapshot read for it.
    pub at: Offset,
}

/// What a client last saw of a set of entities.
#[derive(Debug, Default)]
struct View {
    filter: Filter,
    at: Offset,
    states: BTreeMap<String, Json>,
}

/// What one client knows. Its place survives its connections if it has a cursor.
#[derive(Debug, Default)]
pub struct Ear {
    pub principal: String,
    /// Whether its events bear cursors.
    pub cursor: bool,
    /// The newest cursor it was given, as text, and older ones.
    pub cursors: Vec<String>,
    pub asked: Option<Asked>,
    /// The words with which the connection may begin.
    pub beginnings: Vec<&'static str>,
    /// Everything up to here is known, or need not be.
    place: Option<Offset>,
    filter: Filter,
    /// Subscriptions asked for, by the request's id.
    pub subscribed: BTreeMap<u64, Subscribed>,
    /// Where a connection without a cursor began. Shared: the opening says so.
    pub began: Rc<Cell<Option<Offset>>>,
    newest: BTreeMap<String, Json>,
    view: Option<View>,
    pub closed: Option<u16>,
    pub events: usize,
    pub resets: usize,
    pub snapshots: usize,
}

impl Ear {
    /// From now on it shows another credential.
    pub fn become_another(&mut self, principal: &str) {
        self.principal = principal.to_owned();
        self.view = None;
    }

    /// A new connection.
    pub fn begin(&mut self, asked: Asked) {
        if !self.cursor || asked == Asked::Now {
            self.view = None;
        }
        self.place = None;
        self.filter = None;
        self.newest.clear();
        self.subscribed.clear();
        self.began = Rc::default();
        self.beginnings.clear();
        self.closed = None;
        self.asked = Some(asked);
    }

    /// Takes a frame in.
    pub fn hear(&mut self, oracle: &Oracle, frame: &Frame) -> Result<(), String> {
        let text = match &frame.body {
            Body::Close(code) => {
                self.closed = Some(*code);
                let revoked = oracle.revoked(&self.principal) <= oracle.head();
                return match code {
                    4401 if !revoked => Err("closed as revoked, but is not".into()),
                    4401 | 4408 | 1013 => Ok(()),
                    _ => Err(format!("closed with {code}")),
                };
            }
            Body::Text(text) => text,
        };
        if self.closed.is_some() {
            return Err(format!("told after the close frame: {text}"));
        }
        let mut json: Json = serde_json::from_str(text).map_err(|e| format!("{e}: {text}"))?;
        let cursor = json["cursor"].as_str().map(str::to_owned);
        let place = cursor.as_ref().and_then(|text| text.rsplit('.').next()?.parse().ok());
        let result = match json["type"].as_str().unwrap_or_default() {
            "resumed" => self.resumed(oracle, place, frame),
            "reset" => self.reset(place, json["reason"].as_str().unwrap_or_default()),
            "states:snapshot" => self.snapshot(oracle, place, &json, frame),
            "state_changed" => {
                self.event(oracle, "state_changed", json["data"].take(), place, frame)
            }
            "note" => {
                let fields = json.as_object_mut().expect("it has a type");
                fields.shift_remove("type");
                fields.shift_remove("cursor");
                self.event(oracle, "note", json, place, frame)
            }
            "error" => Ok(()),
            other if other.ends_with(":response") => Ok(()),
            other => Err(format!("an unknown type {other}")),
        };
        self.cursors.extend(cursor);
        result.map_err(|what| format!("{what}; it was told {}", &text[..text.len().min(200)]))
    }

    fn resumed(
        &mut self,
        oracle: &Oracle,
        place: Option<Offset>,
        frame: &Frame,
    ) -> Result<(), String> {
        let place = place.ok_or("`resumed` without a cursor")?;
        if !self.beginnings.contains(&"resumed") {
            return Err(format!("resumed, but should be one of {:?}", self.beginnings));
        }
        if let Some(Asked::Place(asked)) = self.asked {
            if place < asked {
                return Err(format!("resumed at {place}, before its cursor {asked}"));
            }
            self.nothing_missed(oracle, asked, place, frame.known)?;
        }
        self.place = Some(place);
        Ok(())
    }

    fn reset(&mut self, place: Option<Offset>, reason: &str) -> Result<(), String> {
        if !self.beginnings.contains(&reason) {
            return Err(format!("reset ({reason}), but should be one of {:?}", self.beginnings));
        }
        self.place = place;
        self.view = None;
        self.resets += 1;
        Ok(())
    }

    fn snapshot(
        &mut self,
        oracle: &Oracle,
        place: Option<Offset>,
        json: &Json,
        frame: &Frame,
    ) -> Result<(), String> {
        let id = json["id"].as_u64().ok_or("a snapshot that nobody asked for")?;
        let asked = self.subscribed.get(&id).cloned().ok_or("a snapshot that nobody asked for")?;
        if place.is_some() != self.cursor || place.is_some_and(|place| place != asked.at) {
            return Err(format!("a snapshot of {} has the cursor {place:?}", asked.at));
        }
        let before = self.place.or(self.began.get()).ok_or("a snapshot before its connection")?;
        self.nothing_missed(oracle, before, asked.owed, frame.known)?;
        let mut states = BTreeMap::new();
        for row in json["data"].as_array().into_iter().flatten() {
            let (entity, mut state) = (row["entity_id"].as_str().unwrap_or_default(), Json::Null);
            state["state"] = row["state"].clone();
            state["attributes"] = row["attributes"].clone();
            let known = asked.at.max(frame.told);
            if !oracle.follows(&self.principal, entity, asked.at, known) {
                return Err(format!("the snapshot shows {entity}, the right to which had ended"));
            }
            states.insert(entity.to_owned(), state);
        }
        for entity in super::world::ENTITIES {
            let wanted = asked.filter.as_ref().is_none_or(|filter| filter.contains(*entity));
            let readable = wanted && oracle.follows(&self.principal, entity, asked.at, asked.at);
            let state = if readable { oracle.state(entity, asked.at) } else { None };
            if states.get(*entity) != state {
                return Err(format!("{entity} is {state:?} at {}, not as shown", asked.at));
            }
        }
        self.snapshots += 1;
        (self.place, self.filter) = (Some(asked.at), asked.filter.clone());
        self.newest.clear();
        self.view = Some(View { filter: asked.filter, at: asked.at, states });
        Ok(())
    }

    fn event(
        &mut self,
        oracle: &Oracle,
        name: &str,
        payload: Json,
        place: Option<Offset>,
        frame: &Frame,
    ) -> Result<(), String> {
        self.events += 1;
        if place.is_some() != self.cursor {
            return Err("the cursor is there or not, but should be the contrary".into());
        }
        let before =
            self.place.or(self.began.get()).ok_or("an event before the connection's own")?;
        let (row, variant) = match place {
            Some(place) => {
                let row = oracle.row(place).ok_or("the log has no such row")?;
                let variant = row.variants.iter().position(|(_, told)| *told == payload);
                (row, variant.ok_or("the log has something else there")?)
            }
            None => self.find(oracle, name, &payload, before, frame)?,
        };
        if row.offset <= before {
            return Err(format!("row {} after row {before}", row.offset));
        }
        if !oracle.may_hear(&self.principal, row, variant, (frame.told, frame.known)) {
            return Err(format!(
                "{} may not hear variant {variant} of row {} as of {}",
                self.principal, row.offset, frame.told
            ));
        }
        if !oracle.was_first(&self.principal, row, variant, frame.known) {
            return Err(format!("variant {variant} of row {} is not the first", row.offset));
        }
        if self.filter.as_ref().is_some_and(|filter| !filter.contains(&row.key)) {
            return Err(format!("row {} does not pass the filter", row.offset));
        }
        self.nothing_missed(oracle, before, row.offset - 1, frame.known)?;
        self.place = Some(row.offset);
        if name == "state_changed" {
            if let Some(view) = &mut self.view {
                match &payload["new_state"] {
                    Json::Null => view.states.remove(&row.key),
                    state => view.states.insert(row.key.clone(), state.clone()),
                };
            }
            self.newest.insert(row.key.clone(), payload);
        }
        Ok(())
    }

    /// The first row after `before` that may be what was told, when there is no cursor to say so.
    fn find<'a>(
        &self,
        oracle: &'a Oracle,
        name: &str,
        payload: &Json,
        before: Offset,
        frame: &Frame,
    ) -> Result<(&'a Row, usize), String> {
        let rows = oracle.rows(before, frame.told.max(frame.known)).iter();
        let alike = rows.filter(|row| row.name == name).flat_map(|row| {
            let alike = row.variants.iter().enumerate().filter(|(_, told)| told.1 == *payload);
            alike.map(move |(variant, _)| (row, variant))
        });
        let mut alike = alike.peekable();
        let first = alike.peek().copied();
        alike
            .find(|(row, variant)| {
                oracle.may_hear(&self.principal, row, *variant, (frame.told, frame.known))
            })
            .or(first)
            .ok_or_else(|| format!("no row after {before} says so"))
    }

    fn is_wanted(&self, row: &Row) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.contains(&row.key))
    }

    /// Nothing in `(after, upto]` was to be told before now.
    fn nothing_missed(
        &self,
        oracle: &Oracle,
        after: Offset,
        upto: Offset,
        known: Offset,
    ) -> Result<(), String> {
        let missed = oracle.rows(after, upto).iter().find(|row| {
            (self.cursor || !row.latest)
                && self.is_wanted(row)
                && oracle.must_hear(&self.principal, row, known)
        });
        match missed {
            Some(row) => Err(format!("{} was not told row {}", self.principal, row.offset)),
            None => Ok(()),
        }
    }

    /// Everything was read that the hub, told up to `told`, had for it; what it was given had been
    /// read with `known` or earlier.
    pub fn up_to_date(&self, oracle: &Oracle, told: Offset, known: Offset) -> Result<(), String> {
        let place = self.place.or(self.began.get()).ok_or("the connection never began")?;
        self.nothing_missed(oracle, place, told, known)
    }

    /// Everything was delivered and the connection lives: what it knows is what is true.
    pub fn at_rest(&self, oracle: &Oracle) -> Result<(), String> {
        let Some(place) = self.place.or(self.began.get()) else {
            return Err("the connection never began".into());
        };
        let head = oracle.head();
        self.nothing_missed(oracle, place, head, head)?;
        if oracle.revoked(&self.principal) <= head {
            return Err("still connected, though revoked".into());
        }
        let since = self.view.as_ref().map_or(0, |view| view.at);
        let began = self.began.get().unwrap_or(Offset::MAX).max(since);
        for entity in super::world::ENTITIES {
            let of = |row: &&Row| row.latest && row.key == *entity && self.is_wanted(row);
            let must = |row: &&Row| of(row) && oracle.must_hear(&self.principal, row, head);
            let newest = oracle.rows(began.min(head), head).iter().rev().find(must);
            if let Some(row) = newest
                && !self.cursor
                && self.newest.get(*entity) != Some(&row.variants[0].1)
            {
                return Err(format!("{} missed the newest of {entity}", self.principal));
            }
            let Some(view) = &self.view else { continue };
            let seen = view.filter.as_ref().is_none_or(|filter| filter.contains(*entity))
                && oracle.hears_always(&self.principal, entity, view.at, head);
            if seen && view.states.get(*entity) != oracle.state(entity, head) {
                return Err(format!("{} has another state of {entity}", self.principal));
            }
        }
        Ok(())
    }
}
