//! A new connection on its way: who it is, what it missed, and what has to be noted before it is let in.

use std::sync::{Arc, Weak};

use bellwire_services::kit::{
    Answer, BoundCommand, Claims, Code, Fault, Payload, Principal, Said, Words,
};
use bellwire_store::{batch::Write, sqlite::ReadJob, tx::ReadTx};

use super::{Asking, Door, Hears, Lane, Unsettled, asked_over_http, overloaded};
use crate::{
    opening::{self, Credential, Opened, Since},
    sequencer::ReplyTo,
};

/// What a new connection wants, beside the place where it begins.
#[derive(Debug, Clone)]
pub struct Wish {
    /// What it listens to.
    pub hears: Hears,
    /// Whether it acknowledges critical events.
    pub asks: bool,
}

/// A new connection on its way.
struct Arrival {
    credential: Credential,
    wish: Wish,
    since: Since,
    /// Whether somebody waits for it.
    wanted: Weak<()>,
}

/// A connection on its way, as [`Door::arriving`] serves it.
pub(super) trait Arriving: Send + Sized + 'static {
    /// What is read for it.
    type Read: Send + 'static;
    /// What it is answered.
    type Answer;

    /// Whether somebody waits for it.
    fn wanted(&self) -> &Weak<()>;

    /// Who it says it is.
    fn credential(&self) -> &Credential;

    /// Reads what it needs; `None` if that takes rows from disk, and this is not the lane for it.
    fn read(&self, door: &Door, tx: &ReadTx<'_>, lane: Lane) -> Result<Option<Self::Read>, Fault>;

    /// Who it is, as was read.
    fn principal(read: &Self::Read) -> Arc<Principal>;

    /// Writes what is to be written before it is told anything, and answers.
    fn settle(
        self,
        door: &Arc<Door>,
        read: Self::Read,
        answer: impl FnOnce(Result<Self::Answer, Fault>) + Send + 'static,
    );
}

impl Arriving for Arrival {
    type Read = (Opened, Unsettled);
    type Answer = Opened;

    fn wanted(&self) -> &Weak<()> {
        &self.wanted
    }

    fn credential(&self) -> &Credential {
        &self.credential
    }

    fn read(&self, door: &Door, tx: &ReadTx<'_>, lane: Lane) -> Result<Option<Self::Read>, Fault> {
        let Arrival { credential, wish, since, .. } = self;
        let caller = opening::caller(tx, credential, door.clock.now())?;
        let (mut audience, names) = door.heard_by(&wish.hears, &caller.principal)?;
        let principal = caller.principal;
        if let Hears::Stream(tuning) = &wish.hears {
            let whose = (tuning, &*principal);
            audience = door.tables.in_rooms(tx, whose, door.clock.now(), audience)?;
        }
        let mut opened = door
            .with_sources(|sources| opening::connect(tx, principal, &audience, since, sources))?;
        if let Hears::Stream(tuning) = &wish.hears {
            door.tables.show(tx, tuning, since, &mut opened)?;
        }
        opened.topics = names.map(|names| door.tables.since(names, &[], opened.opening.at));
        opened.handed = caller.handed.map(|(words, claims)| door.hand(&words, &claims));
        let unsettled = match wish.asks {
            true => door.add_unacknowledged(tx, lane, &mut opened)?,
            false => Some(Unsettled::default()),
        };
        Ok(unsettled.map(|unsettled| (opened, unsettled)))
    }

    fn principal((opened, _): &Self::Read) -> Arc<Principal> {
        opened.principal.clone()
    }

    fn settle(
        self,
        door: &Arc<Door>,
        (opened, unsettled): Self::Read,
        answer: impl FnOnce(Result<Opened, Fault>) + Send + 'static,
    ) {
        door.settle_acknowledged(opened, unsettled, answer);
    }
}

impl Door {
    /// Reads what a new connection needs to go live.
    ///
    /// # Errors
    /// When too much waits already.
    pub fn connect(
        self: &Arc<Self>,
        credential: Credential,
        wish: Wish,
        since: Since,
        wanted: Weak<()>,
        answer: impl FnOnce(Result<Opened, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let lane = match &since {
            Since::Cursor(cursor) => self.lane_from(cursor),
            Since::Unasked | Since::Now => Lane::Usual,
        };
        let arrival = Arrival { credential, wish, since, wanted: wanted.clone() };
        self.read_while(lane, wanted, self.arriving(lane, arrival, answer))
    }

    /// The read of a connection on its way. If it finds in the usual lane that rows have to come from disk, it waits
    /// in the other: where a client without an offset was, and what it has not acknowledged, only its row says.
    pub(super) fn arriving<A: Arriving>(
        self: &Arc<Self>,
        lane: Lane,
        arrival: A,
        answer: impl FnOnce(Result<A::Answer, Fault>) + Send + 'static,
    ) -> ReadJob {
        let door = self.clone();
        Box::new(move |tx| {
            if arrival.wanted().strong_count() == 0 {
                return;
            }
            match tx.and_then(|tx| arrival.read(&door, tx, lane)) {
                Ok(Some(read)) => {
                    let principal = A::principal(&read);
                    door.after_first_use(&principal, move |door, noted| match noted {
                        Ok(()) => arrival.settle(door, read, answer),
                        Err(fault) => answer(Err(fault)),
                    });
                }
                Ok(None) => {
                    let job = door.arriving(Lane::Replays, arrival, answer);
                    if let Err(job) = door.store.replay(job) {
                        job(Err(overloaded()));
                    }
                }
                Err(fault) => {
                    door.note_if_ended(arrival.credential(), &fault);
                    answer(Err(fault));
                }
            }
        })
    }

    /// Remembers that a token is no good any more, if that is why it was refused.
    fn note_if_ended(&self, credential: &Credential, fault: &Fault) {
        if let Credential::Token { jti } = credential
            && fault.code == Code::Unauthenticated
        {
            self.keyring.note_ended(jti);
        }
    }

    /// What is handed to a session, with its token.
    pub fn hand(&self, words: &Words, claims: &Claims) -> Said {
        let payload = self.with_token(&words.payload, claims).get().to_owned();
        Said { event: words.event.clone(), payload }
    }

    /// Goes on once the first use of a token that came by pairing is noted: from then on nobody can fetch it, and
    /// those from before are no good. A full disk cannot note it, and lets in all the same.
    fn after_first_use(
        self: &Arc<Self>,
        principal: &Principal,
        go_on: impl FnOnce(&Arc<Self>, Result<(), Fault>) + Send + 'static,
    ) {
        if !principal.unused {
            return go_on(self, Ok(()));
        }
        let system = Arc::new(Principal::system());
        let bound = match self.bind(TOKEN_USED, used(principal), &system) {
            Ok((command, _, BoundCommand::Decide(decision))) => Ok((command, decision)),
            Ok((command, ..)) => Err(asked_over_http(command.name)),
            Err(fault) => Err(fault),
        };
        let (command, decision) = match bound {
            Ok(bound) => bound,
            Err(fault) => return go_on(self, Err(fault)),
        };
        let door = self.clone();
        let noted = move |noted: Result<Answer, Fault>| match noted {
            Err(fault) if fault.code != Code::Full => go_on(&door, Err(fault)),
            _ => go_on(&door, Ok(())),
        };
        let to = ReplyTo::Function(Box::new(noted));
        let origin = String::new();
        let asking =
            Asking { principal: system, place: None, key: None, precondition: None, origin };
        let write = self.write_of(command, asking, decision, to);
        if let Err(Write { to: ReplyTo::Function(noted), .. }) = self.store.write(write) {
            noted(Err(overloaded()));
        }
    }
}

/// The command that notes the first use of a token.
pub(super) const TOKEN_USED: &str = "pairing.token_used";

/// Its fields, for the token of this caller.
pub(super) fn used(principal: &Principal) -> Payload {
    Payload::from_iter([("token".to_owned(), principal.token.clone().into())])
}
