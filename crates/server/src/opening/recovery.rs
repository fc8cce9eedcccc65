//! What a connection needs that comes back by its `pid`: what it listened to, and what it missed.
//!
//! It begins anew whenever there is a doubt: what it is told as missed is all that it missed.

use std::sync::Arc;

use bellwire_services::{
    kit::{Fault, Principal, ReadTx},
    live_sessions::{self, Listened, LiveSession},
};
use bellwire_store::{
    change::Offset,
    log::{self, Cursor, Reason, Resume},
};

use super::{Opened, Sources, missed, opened};
use crate::audience::Audience;

/// What a connection asks for that is to be recovered, now or later.
pub(crate) struct Wish<'a> {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// Where it connects.
    pub namespace: &'a str,
    /// What it listens to if it begins anew.
    pub audience: &'a Audience,
    /// Its `pid` from before, if it had one.
    pub pid: Option<&'a str>,
    /// The cursor of the last event that it was told, if it was told one.
    pub offset: Option<&'a str>,
    /// Whether rows may be read from disk, which takes long.
    pub from_disk: bool,
}

/// What was found for it.
pub(crate) struct Found {
    /// How it begins anew.
    pub fresh: Opened,
    /// How it goes on, if it can.
    pub before: Option<Before>,
}

/// A connection from before.
pub(crate) struct Before {
    /// Its row.
    pub session: LiveSession,
    /// What it missed, and what it may hear.
    pub opened: Opened,
}

/// Reads it; `None` if that takes rows from disk, and may not. `meant` says what names of topics mean.
///
/// # Errors
/// As [`connect`](super::connect).
pub(crate) fn recover(
    tx: &ReadTx<'_>,
    wish: &Wish<'_>,
    meant: impl Fn(&[Listened]) -> Result<Audience, Fault>,
    sources: &Sources<'_>,
) -> Result<Option<Found>, Fault> {
    let principal = wish.principal.clone();
    let mut fresh = opened(tx, principal.clone(), wish.audience, sources)?;
    let Some(pid) = wish.pid else { return Ok(Some(Found { fresh, before: None })) };
    let (session, after) = match place(tx, wish, pid, &principal)? {
        Ok(found) => found,
        Err(reason) => {
            fresh.reset = Some(reason);
            return Ok(Some(Found { fresh, before: None }));
        }
    };
    // A name that no service knows any more: what it listened to is not there.
    let Ok(mut audience) = meant(&session.topics) else {
        fresh.reset = Some(Reason::Expired);
        return Ok(Some(Found { fresh, before: None }));
    };
    audience.rooms = (!session.rooms.is_empty()).then(|| Arc::new(session.rooms.clone()));
    if !wish.from_disk && !sources.recent.covers(after) {
        return Ok(None);
    }
    let mut opened = opened(tx, principal, &audience, sources)?;
    if !missed(tx, after, sources, &mut opened)? {
        fresh.reset = Some(Reason::Limited);
        return Ok(Some(Found { fresh, before: None }));
    }
    Ok(Some(Found { fresh, before: Some(Before { session, opened }) }))
}

/// The connection from before, and the place up to which it was told everything; or why there is none.
/// Whose `pid` it is, and that there is one, is nobody else's business: they hear what they would hear
/// of one that was forgotten.
fn place(
    tx: &ReadTx<'_>,
    wish: &Wish<'_>,
    pid: &str,
    principal: &Arc<Principal>,
) -> Result<Result<(LiveSession, Offset), Reason>, Fault> {
    let session = live_sessions::find(tx, pid)?;
    let own = |session: &LiveSession| {
        session.principal == principal.id && session.namespace == wish.namespace
    };
    let Some(session) = session.filter(own) else { return Ok(Err(Reason::Expired)) };
    let told = match wish.offset.map(str::parse::<Cursor>).transpose() {
        Ok(Some(cursor)) if cursor.epoch != tx.epoch() => return Ok(Err(Reason::Epoch)),
        Ok(cursor) => cursor.map_or(0, |cursor| cursor.offset),
        Err(reason) => return Ok(Err(reason)),
    };
    // Whatever the client says, nothing is told from before it began.
    let after = Cursor { epoch: tx.epoch().to_owned(), offset: told.max(session.at) };
    Ok(match log::resume(tx, &after.to_string())? {
        Resume::From(after) => Ok((session, after)),
        Resume::Reset(reason) => Err(reason),
    })
}
