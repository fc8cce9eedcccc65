//! How an outcome becomes rows.

use std::{collections::BTreeSet, sync::Arc};

use serde::de::{Deserializer as _, SeqAccess, Visitor};

use super::BLOCK_ROWS;
use crate::{
    change::{Effect, Event, Fault, Logged, Micros, Overflow, Variant},
    tx::{Tx, Value, stored},
};

pub(super) mod sql {
    crate::statements! {
        /// One row of the log.
        APPEND = "INSERT INTO log (log_offset, at, bytes, overflow, name, key, topics, \
                  except_topics, payloads, effects) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        /// One effect, by principal.
        APPEND_EFFECT = "INSERT INTO log_effect (log_offset, place, principal, kind, topic) \
                         VALUES ($1, $2, $3, $4, $5)";
        /// What a block is made of.
        BLOCK_ROWS_OF = "SELECT bytes, topics FROM log WHERE log_offset > $1 AND log_offset <= $2";
        /// A full block.
        APPEND_BLOCK = "INSERT INTO log_block (last_offset, bytes, topics) VALUES ($1, $2, $3)";
    }
}

/// Buffers that the writer uses again for each row.
#[derive(Default)]
pub(crate) struct Scratch {
    topics: Vec<u8>,
    except: Vec<u8>,
    payloads: Vec<u8>,
    effects: Vec<u8>,
}

impl Scratch {
    /// Appends what an outcome says: a row for each event, the effects on the last of them or on a
    /// row of their own.
    pub(crate) fn append(
        &mut self,
        tx: &mut Tx<'_>,
        at: Micros,
        events: Vec<Event>,
        effects: Vec<Effect>,
    ) -> Result<Vec<Arc<Logged>>, Fault> {
        let mut logged = Vec::with_capacity(events.len().max(1));
        let mut effects = Some(effects);
        let last = events.len().saturating_sub(1);
        for (place, event) in events.into_iter().enumerate() {
            let effects = if place == last { effects.take() } else { None };
            logged.push(self.row(tx, at, Some(event), effects.unwrap_or_default())?);
        }
        if let Some(effects) = effects.filter(|effects| !effects.is_empty()) {
            logged.push(self.row(tx, at, None, effects)?);
        }
        Ok(logged)
    }

    fn row(
        &mut self,
        tx: &mut Tx<'_>,
        at: Micros,
        event: Option<Event>,
        effects: Vec<Effect>,
    ) -> Result<Arc<Logged>, Fault> {
        let offset = tx.extent.head + 1;
        let variants = event.as_ref().map_or(&[][..], |event| &event.variants);
        let topics = json(&mut self.topics, &TopicLists(variants));
        let payloads = event.is_some().then(|| json(&mut self.payloads, &Payloads(variants)));
        let except = event.as_ref().filter(|event| !event.except.is_empty());
        let except = except.map(|event| json(&mut self.except, &event.except));
        let told = (!effects.is_empty()).then(|| json(&mut self.effects, &effects));
        let name = event.as_ref().map(|event| &*event.name);
        let key = event.as_ref().map(|event| &*event.key);
        let bytes: usize = [name, key, Some(topics), except, payloads, told]
            .iter()
            .map(|text| text.map_or(0, str::len))
            .sum();
        let bytes = bytes as u64;
        let overflow = event.as_ref().map(|event| event.overflow).unwrap_or_default();
        tx.execute(
            sql::APPEND,
            &[
                stored(offset),
                Value::Integer(at),
                stored(bytes),
                Value::Integer(i64::from(overflow == Overflow::Latest)),
                optional(name),
                optional(key),
                Value::Text(topics),
                optional(except),
                optional(payloads),
                optional(told),
            ],
        )?;
        tx.extent.head = offset;
        tx.extent.bytes += bytes;
        tx.extent.last_at = Some(at);
        for (place, effect) in effects.iter().enumerate() {
            append_effect(tx, offset, place, effect)?;
        }
        if offset.is_multiple_of(BLOCK_ROWS) {
            append_block(tx, offset)?;
        }
        Ok(Arc::new(Logged { offset, at, event, effects }))
    }
}

fn append_effect(tx: &mut Tx<'_>, offset: u64, place: usize, effect: &Effect) -> Result<(), Fault> {
    let (principal, kind, topic) = effect.indexed();
    let values = [
        stored(offset),
        stored(place as u64),
        Value::Text(principal),
        Value::Text(kind),
        optional(topic),
    ];
    tx.execute(sql::APPEND_EFFECT, &values)?;
    Ok(())
}

/// Closes the block that ends with `last`, in the transaction that filled it.
fn append_block(tx: &mut Tx<'_>, last: u64) -> Result<(), Fault> {
    let mut topics = BTreeSet::new();
    let mut bytes = 0;
    tx.each(sql::BLOCK_ROWS_OF, &super::range(last - BLOCK_ROWS, last), |row| {
        bytes += row.integer(0);
        each_topic(row.text_ref(1), |topic| {
            if !topics.contains(topic) {
                topics.insert(topic.to_owned());
            }
            false
        });
        std::ops::ControlFlow::Continue(())
    })?;
    let mut text = Vec::new();
    let topics = json(&mut text, &[topics]);
    tx.execute(sql::APPEND_BLOCK, &[stored(last), Value::Integer(bytes), Value::Text(topics)])?;
    Ok(())
}

fn optional(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Null, Value::Text)
}

/// Writes `value` into `buffer` as JSON.
fn json<'a>(buffer: &'a mut Vec<u8>, value: &impl serde::Serialize) -> &'a str {
    buffer.clear();
    serde_json::to_writer(&mut *buffer, value).expect("texts and lists of texts are valid JSON");
    std::str::from_utf8(buffer).expect("serde_json writes UTF-8")
}

/// The topics of an event: a list for each variant.
struct TopicLists<'a>(&'a [Variant]);

impl serde::Serialize for TopicLists<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|variant| &variant.topics))
    }
}

/// The payloads of an event, in the order of its variants.
struct Payloads<'a>(&'a [Variant]);

impl serde::Serialize for Payloads<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|variant| &variant.payload))
    }
}

/// Shows `found` each topic of a stored list of lists, without copying them, until it says that it
/// has seen enough; returns whether it said so.
pub(super) fn each_topic(lists: &str, found: impl FnMut(&str) -> bool) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(lists);
    let mut look = Look { found, enough: false };
    deserializer.deserialize_seq(&mut look).expect("the log holds lists of lists of topics");
    look.enough
}

struct Look<F> {
    found: F,
    enough: bool,
}

impl<'de, F: FnMut(&str) -> bool> Visitor<'de> for &mut Look<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lists of topics")
    }

    fn visit_str<E>(self, topic: &str) -> Result<(), E> {
        self.enough = self.enough || (self.found)(topic);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }
}

impl<'de, F: FnMut(&str) -> bool> serde::de::DeserializeSeed<'de> for &mut Look<F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, item: D) -> Result<(), D::Error> {
        item.deserialize_any(self)
    }
}
