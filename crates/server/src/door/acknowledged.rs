//! Connections that acknowledge critical events: what they have yet to acknowledge is told to them first, and what
//! they acknowledged is written down.

use std::collections::{HashMap, HashSet};

use bellwire_services::{
    acknowledgements::{self, Acknowledged, Reader},
    kit::{Code, Event, Fault, Tx},
};
use bellwire_store::{change::Offset, log, tx::ReadTx};

use super::{Door, Lane, Tables};
use crate::{
    audience::Streams,
    opening::{self, Opened},
};

/// How far a place may lie behind when nothing is left to acknowledge, before it is moved.
const IDLE_MAX: Offset = 1_000;

/// What is to be written before a connection that acknowledges is told anything.
#[derive(Debug, Default)]
pub struct Unsettled {
    /// Readers whose place begins here.
    begin: Vec<Reader>,
    /// Readers with nothing left to acknowledge up to here.
    settled: Vec<Reader>,
    at: Offset,
}

impl Unsettled {
    /// Writes it.
    pub(super) fn write(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        for reader in &self.begin {
            acknowledgements::begin(tx, reader, self.at)?;
        }
        for reader in &self.settled {
            acknowledgements::acknowledge(tx, reader, &[], self.at)?;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.begin.is_empty() && self.settled.is_empty()
    }
}

/// What a principal acknowledged over one connection.
#[derive(Debug)]
pub struct Acknowledgement {
    /// Who acknowledged it.
    pub readers: Vec<Reader>,
    /// The event.
    pub offset: Offset,
    /// Nothing up to here is still to be acknowledged.
    pub settled: Offset,
}

impl Tables {
    /// The services with critical events that are heard on these streams.
    fn critical_on(&self, streams: Streams) -> impl Iterator<Item = &'static str> {
        let heard = move |service: &&str| streams.meets(self.streams_of(service));
        self.critical.iter().copied().filter(heard)
    }

    /// As whom a principal acknowledges that listens to these streams.
    pub fn readers(&self, principal: &str, streams: Streams) -> Vec<Reader> {
        self.critical_on(streams).map(|service| Reader::new(principal, service)).collect()
    }

    /// Whether an event is to be acknowledged, and by its service.
    fn critical_service(&self, name: &str) -> Option<&'static str> {
        self.events.get(name).copied().filter(|service| self.critical.contains(service))
    }
}

impl Door {
    /// Adds what the principal has not acknowledged to what a connection missed, and takes away what it has; `None`
    /// if that takes rows from disk, and this is not the lane for it.
    ///
    /// # Errors
    /// [`Code::Invalid`] for who has no credential: guests are all one principal. The store's.
    pub(super) fn add_unacknowledged(
        &self,
        tx: &ReadTx<'_>,
        lane: Lane,
        opened: &mut Opened,
    ) -> Result<Option<Unsettled>, Fault> {
        let principal = opened.principal.clone();
        if principal.token.is_empty() {
            let why = "auth.ack: only who has a credential acknowledges";
            return Err(Fault::new(Code::Invalid, why));
        }
        let at = opened.opening.at;
        let mut known: HashMap<&'static str, Acknowledged> = HashMap::new();
        let mut unsettled = Unsettled { at, ..Unsettled::default() };
        for service in self.tables.critical_on(opened.streams) {
            let reader = Reader::new(&principal.id, service);
            match acknowledgements::of(tx, &reader)? {
                Some(acknowledged) => drop(known.insert(service, acknowledged)),
                None => unsettled.begin.push(reader),
            }
        }
        let Some(first) = known.values().map(|acknowledged| acknowledged.upto).min() else {
            return Ok(Some(unsettled));
        };
        let after = first.max(log::kept_after(tx)?);
        if lane == Lane::Usual && !self.recent.covers(after) {
            return Ok(None);
        }
        let left = self.merge_unacknowledged(tx, after, &known, opened)?;
        // Who may hear nothing of a service does not know what its principal has yet to acknowledge.
        let hears = |service: &str| {
            let on = self.tables.streams_of(service);
            let held = &opened.opening.held;
            held.iter().any(|held| self.tables.roots.streams_of(&held.topic).meets(on))
        };
        let is_idle = |service: &str, acknowledged: &Acknowledged| {
            !left.contains(service)
                && opened.opening.filter.is_none()
                && hears(service)
                && at.saturating_sub(acknowledged.upto) > IDLE_MAX
        };
        let idle = known.iter().filter(|(service, known)| is_idle(service, known));
        unsettled.settled = idle.map(|(service, _)| Reader::new(&principal.id, service)).collect();
        Ok(Some(unsettled))
    }

    /// Puts what follows a place and is not acknowledged into the rows of the opening, in order, and takes out what
    /// is; gives the services of which something is still to be acknowledged.
    fn merge_unacknowledged(
        &self,
        tx: &ReadTx<'_>,
        after: Offset,
        known: &HashMap<&'static str, Acknowledged>,
        opened: &mut Opened,
    ) -> Result<HashSet<&'static str>, Fault> {
        let service_of = |event: &Event| {
            let service = self.tables.critical_service(&event.name);
            service.filter(|service| self.speller.asks(&event.name) && known.contains_key(service))
        };
        let missed = std::mem::take(&mut opened.opening.rows);
        let missed_at: HashSet<Offset> = missed.iter().map(|row| row.offset()).collect();
        // Of all that is heard only this: other events may be many.
        let asks = |event: &Event| service_of(event).is_some();
        let all =
            self.with_sources(|sources| opening::missed_of(tx, after, sources, &asks, opened))?;
        if !all {
            // They are too many to be told again: they have expired, unless they were missed just now.
            opened.opening.rows = missed;
            return Ok(known.keys().copied().collect());
        }
        let mut rows = std::mem::take(&mut opened.opening.rows);
        let read: HashSet<Offset> = rows.iter().map(|row| row.offset()).collect();
        rows.extend(missed.into_iter().filter(|row| !read.contains(&row.offset())));
        let mut left = HashSet::new();
        rows.retain(|row| {
            let service = row.logged.event.as_ref().and_then(&service_of);
            match service.and_then(|service| known.get(service)) {
                Some(acknowledged) if acknowledged.has(row.offset()) => false,
                Some(_) => {
                    left.extend(service);
                    true
                }
                None => missed_at.contains(&row.offset()),
            }
        });
        rows.sort_by_key(|row| row.offset());
        opened.opening.rows = rows;
        Ok(left)
    }

    /// Answers, once it is written down that the connection acknowledges from here on. On a full disk it is
    /// served all the same.
    pub(super) fn settle_acknowledged(
        &self,
        opened: Opened,
        unsettled: Unsettled,
        answer: impl FnOnce(Result<Opened, Fault>) + Send + 'static,
    ) {
        if unsettled.is_empty() {
            return answer(Ok(opened));
        }
        self.write_own(
            move |tx, _| unsettled.write(tx),
            move |written| match written {
                Err(fault) if fault.code != Code::Full => answer(Err(fault)),
                _ => answer(Ok(opened)),
            },
        );
    }

    /// Writes down that a connection, which listens to more from here on, acknowledges.
    pub fn begin_acknowledging(&self, readers: Vec<Reader>, at: Offset) {
        let unsettled = Unsettled { begin: readers, at, ..Unsettled::default() };
        self.write_own(
            move |tx, _| unsettled.write(tx),
            |written| {
                if let Err(fault) = written {
                    tracing::warn!(%fault, "acknowledgements are not kept");
                }
            },
        );
    }

    /// Writes down what was acknowledged. What cannot be written is told again.
    pub fn acknowledge(&self, acknowledged: Vec<Acknowledgement>) {
        let work = move |tx: &mut Tx<'_>, _| {
            for Acknowledgement { readers, offset, settled } in &acknowledged {
                for reader in readers {
                    acknowledgements::acknowledge(tx, reader, &[*offset], *settled)?;
                }
            }
            Ok(())
        };
        self.write_own(work, |written| {
            if let Err(fault) = written {
                tracing::warn!(%fault, "an acknowledgement was not kept");
            }
        });
    }
}
