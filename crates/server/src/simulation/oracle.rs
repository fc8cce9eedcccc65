//! What is true: the log as the database holds it, and from its effects alone, who might hear what
//! when. It shares no code with what it judges.
//!
//! A right is an interval of the log: `(from, to]` are the rows that may be heard because of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bellwire_store::{change::Offset, sqlite::Reader, statements, tx::Value};
use serde_json::Value as Json;

statements! {
    /// The log, whole rows.
    LOG = "SELECT log_offset, name, key, overflow, except_topics, topics, payloads, effects
           FROM log WHERE log_offset > $1 ORDER BY log_offset";
    /// Where it begins.
    FIRST = "SELECT coalesce(min(log_offset), 0) FROM log";
}

/// The end of what has not ended.
const OPEN: Offset = Offset::MAX;

/// A row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub offset: Offset,
    pub name: String,
    pub key: String,
    /// Only the newest counts for a reader without a cursor.
    pub latest: bool,
    pub except: Vec<String>,
    /// Audience and payload.
    pub variants: Vec<(Vec<String>, Json)>,
    effects: Vec<Json>,
}

impl Row {
    /// Whether whoever may read its entity may hear it, by whatever topic: it says the same to all.
    fn is_for_all_readers(&self) -> bool {
        self.variants.len() == 1
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics = self.variants.iter().map(|(topics, _)| topics.join("+"));
        let topics = topics.collect::<Vec<_>>().join(" | ");
        write!(f, "{} {} {} for {topics}", self.offset, self.name, self.key)?;
        for except in &self.except {
            write!(f, ", not {except}")?;
        }
        for effect in &self.effects {
            let text = |name: &str| effect[name].as_str().unwrap_or_default().to_owned();
            write!(f, "; {} {} {}", text("do"), text("principal"), text("topic"))?;
        }
        Ok(())
    }
}

/// The log, and the rights that follow from it.
#[derive(Debug, Default)]
pub struct Oracle {
    rows: Vec<Row>,
    /// The first row that the database still holds.
    pub first: Offset,
    rights: BTreeMap<(String, String), Vec<(Offset, Offset)>>,
    revoked: BTreeMap<String, Offset>,
}

impl Oracle {
    /// The newest row.
    pub fn head(&self) -> Offset {
        self.rows.len() as Offset
    }

    /// The row of an offset.
    pub fn row(&self, offset: Offset) -> Option<&Row> {
        self.rows.get(usize::try_from(offset.checked_sub(1)?).ok()?)
    }

    /// The rows in `(after, upto]`.
    pub fn rows(&self, after: Offset, upto: Offset) -> &[Row] {
        let end = upto.min(self.head()) as usize;
        &self.rows[(after as usize).min(end)..end]
    }

    /// A principal that was always there, with these topics.
    pub fn admit(&mut self, principal: &str, topics: &[String]) {
        for topic in topics {
            self.rights.insert((principal.to_owned(), topic.clone()), vec![(0, OPEN)]);
        }
    }

    /// Reads what was committed since.
    pub fn sync(&mut self, reader: &mut Reader) -> Result<(), String> {
        let (rows, first) = read(reader, self.head())?;
        self.first = first;
        for row in rows {
            if row.offset != self.head() + 1 {
                return Err(format!("row {} follows row {}", row.offset, self.head()));
            }
            row.effects.iter().for_each(|effect| self.apply(effect, row.offset));
            self.rows.push(row);
        }
        Ok(())
    }

    /// After a crash: whatever was committed is still there, and nothing else is.
    pub fn compare(&mut self, reader: &mut Reader) -> Result<(), String> {
        let (rows, first) = read(reader, 0)?;
        let (begin, head) = (rows.first().map_or(1, |row| row.offset), rows.len() as Offset);
        if begin > self.first.max(1) || begin + head - 1 != self.head() {
            return Err(format!(
                "after a crash the log is {begin} to {}, but {} to {} was committed",
                begin + head - 1,
                self.first,
                self.head()
            ));
        }
        self.first = first;
        match rows.iter().find(|row| self.row(row.offset) != Some(row)) {
            Some(row) => Err(format!("after a crash row {} is another", row.offset)),
            None => Ok(()),
        }
    }

    fn apply(&mut self, effect: &Json, at: Offset) {
        let text = |name: &str| effect[name].as_str().unwrap_or_default().to_owned();
        let rights = self.rights.entry((text("principal"), text("topic"))).or_default();
        match effect["do"].as_str() {
            Some("grant") if rights.last().is_none_or(|(_, to)| *to != OPEN) => {
                rights.push((at, OPEN));
            }
            Some("evict") => {
                rights.last_mut().filter(|(_, to)| *to == OPEN).into_iter().for_each(|r| r.1 = at);
            }
            Some("revoke") => {
                self.revoked.entry(text("principal")).or_insert(at);
            }
            _ => {}
        }
    }

    /// Where the principal was revoked.
    pub fn revoked(&self, principal: &str) -> Offset {
        self.revoked.get(principal).copied().unwrap_or(OPEN)
    }

    /// The topics that the principal holds after row `at`.
    pub fn topics(&self, principal: &str, at: Offset) -> BTreeSet<&str> {
        let held = self.rights.iter().filter(|((whose, _), intervals)| {
            whose == principal && intervals.iter().any(|&(from, to)| from <= at && at < to)
        });
        held.map(|((_, topic), _)| topic.as_str()).collect()
    }

    /// Whether one of these topics was held when row `from` was committed.
    fn held_any(&self, principal: &str, topics: &[String], from: Offset) -> bool {
        topics.iter().any(|topic| self.holds(principal, topic, from, from.saturating_sub(1)))
    }

    /// Whether, from after row `from` until after row `to`, there was always one of these topics that was held: now
    /// this one, then that.
    fn held_always(&self, principal: &str, topics: &[String], from: Offset, to: Offset) -> bool {
        let mut at = from;
        loop {
            let intervals = topics
                .iter()
                .filter_map(|topic| self.rights.get(&(principal.to_owned(), topic.clone())));
            let held = intervals.flatten().filter(|(begin, end)| *begin <= at && at < *end);
            match held.map(|(_, end)| *end).max() {
                Some(end) if end > to => return true,
                Some(end) => at = end,
                None => return false,
            }
        }
    }

    /// Whether the topic was held when row `from` was committed, and without a break until row
    /// `to` had taken effect.
    fn holds(&self, principal: &str, topic: &str, from: Offset, to: Offset) -> bool {
        let intervals = self.rights.get(&(principal.to_owned(), topic.to_owned()));
        intervals.into_iter().flatten().any(|&(begin, end)| begin < from && to < end)
    }

    /// Whether some topic of an entity was held from after row `from` until after row `to`.
    pub fn follows(&self, principal: &str, entity: &str, from: Offset, to: Offset) -> bool {
        topics_of(entity).iter().any(|topic| self.holds(principal, topic, from + 1, to))
    }

    /// Whether it might be heard of all that time, by whatever topics.
    pub fn hears_always(&self, principal: &str, entity: &str, from: Offset, to: Offset) -> bool {
        self.held_always(principal, &topics_of(entity), from, to)
    }

    /// Whether the principal may hear this variant of a row when the hub was told up to `told`, and
    /// what it was given had been read with `known` or earlier.
    pub fn may_hear(
        &self,
        principal: &str,
        row: &Row,
        variant: usize,
        (told, known): (Offset, Offset),
    ) -> bool {
        let told = told.max(row.offset);
        let topics = &row.variants[variant].0;
        let held = match row.is_for_all_readers() {
            // By one topic when it was committed, by another, perhaps, now: when the hub knows it, or a read.
            true => {
                self.held_any(principal, topics, row.offset)
                    && [told, known.max(told)]
                        .iter()
                        .any(|&now| self.held_always(principal, topics, now, now))
            }
            false => topics.iter().any(|topic| self.holds(principal, topic, row.offset, told)),
        };
        self.revoked(principal) > told
            && !row.except.iter().any(|except| self.is_excepted(principal, except, row, known))
            && held
    }

    /// The variant that is his if the hub knows of `known`.
    pub fn variant(&self, principal: &str, row: &Row, known: Offset) -> Option<usize> {
        let mine = |variant: &usize| self.may_hear(principal, row, *variant, (known, known));
        (0..row.variants.len()).find(mine)
    }

    /// Whether this variant was the first for him at some time from the row's own to `known`.
    pub fn was_first(&self, principal: &str, row: &Row, variant: usize, known: Offset) -> bool {
        (row.offset..=known.max(row.offset))
            .any(|known| self.variant(principal, row, known) == Some(variant))
    }

    /// Whether he has to be told the row, if the hub tells him something later and knows of `known`.
    pub fn must_hear(&self, principal: &str, row: &Row, known: Offset) -> bool {
        let excepted = |except: &String| {
            self.is_excepted(principal, except, row, row.offset.saturating_sub(1))
        };
        !row.except.iter().any(excepted)
            && self.variant(principal, row, known).is_some()
            && (!row.is_for_all_readers()
                || self.held_always(principal, &row.variants[0].0, row.offset, known))
    }

    /// An exception for a topic is of those who held it when the row was committed. Whether they
    /// are still excepted when they have lost it since is left open.
    fn is_excepted(&self, principal: &str, except: &str, row: &Row, known: Offset) -> bool {
        match except.strip_prefix("principal/") {
            Some(whose) => whose == principal,
            None => self.holds(principal, except, row.offset, known),
        }
    }

    /// The state of an entity after row `at`: what its newest event says.
    pub fn state(&self, entity: &str, at: Offset) -> Option<&Json> {
        let newest = self
            .rows(0, at)
            .iter()
            .rev()
            .find(|row| row.name == "state_changed" && row.key == entity)?;
        Some(&newest.variants[0].1["new_state"]).filter(|state| !state.is_null())
    }
}

/// The topics of which each suffices to hear of an entity.
pub fn topics_of(entity: &str) -> [String; 3] {
    let domain = entity.split('.').next().unwrap_or_default();
    ["states".to_owned(), format!("domain/{domain}"), format!("entity/{entity}")]
}

/// The topics that scopes stand for, for a caller without rights of its own.
pub fn topics_of_scopes(scopes: &[String]) -> Vec<String> {
    let mut topics = Vec::new();
    for scope in scopes {
        let topic = match scope.splitn(3, ':').nth(2) {
            None => return vec!["states".to_owned()],
            Some(what) => match what.strip_suffix(".*") {
                Some(domain) => format!("domain/{domain}"),
                None => format!("entity/{what}"),
            },
        };
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    topics
}

fn read(reader: &mut Reader, after: Offset) -> Result<(Vec<Row>, Offset), String> {
    let parse = |text: Option<&str>| -> Json {
        text.map_or(Json::Null, |text| serde_json::from_str(text).expect("the log holds JSON"))
    };
    let strings = |json: &Json| -> Vec<String> {
        let items = json.as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let list = |json: Json| json.as_array().cloned().unwrap_or_default();
    let read = reader.read(|tx| {
        let first = tx.one(FIRST, &[], |row| row.integer(0) as Offset)?.unwrap_or(0);
        let after = i64::try_from(after).expect("offsets are small here");
        let rows = tx.all(LOG, &[Value::Integer(after)], |row| Row {
            offset: row.integer(0) as Offset,
            name: row.optional_text(1).unwrap_or_default(),
            key: row.optional_text(2).unwrap_or_default(),
            latest: row.integer(3) == 1,
            except: strings(&parse(row.optional_text_ref(4))),
            variants: list(parse(row.optional_text_ref(5)))
                .iter()
                .map(strings)
                .zip(list(parse(row.optional_text_ref(6))))
                .collect(),
            effects: list(parse(row.optional_text_ref(7))),
        })?;
        Ok::<_, bellwire_store::change::Fault>((rows, first))
    });
    read.and_then(|read| read).map_err(|fault| format!("the log cannot be read: {fault}"))
}
