//! What a call answers.

use bellwire_store::change::{Code, Event, Fault, Micros};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::Principal;

/// A reply as JSON text, and what the door has to sign for it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The reply.
    pub json: Box<RawValue>,
    /// When present, the door makes a token or a ticket of it and adds it to the reply, as `token` or
    /// `ticket`. So neither is ever stored, not even for an idempotent replay.
    pub sign: Option<Claims>,
    /// Whether the call made something that was not there, where that is not always so.
    pub is_new: Option<bool>,
    /// Whether it is given again, by its idempotency key: nothing happened now.
    pub is_repeated: bool,
    /// When present, the caller is refused after all, and what was decided stays.
    pub refusal: Option<Fault>,
    /// What it does to its caller's live session, beside being sent.
    pub aside: Option<Box<Aside>>,
}

impl Answer {
    /// A reply with nothing to sign.
    pub fn of(json: Box<RawValue>) -> Answer {
        Answer { json, sign: None, is_new: None, is_repeated: false, refusal: None, aside: None }
    }

    /// The answer, unless the caller is refused.
    ///
    /// # Errors
    /// Why.
    pub fn granted(self) -> Result<Answer, Fault> {
        match self.refusal {
            Some(fault) => Err(fault),
            None => Ok(self),
        }
    }
}

/// What a decision or a query may reply with: anything that serialises, or that in [`Signed`] or
/// [`Upserted`].
pub trait Reply {
    /// The reply as an answer.
    ///
    /// # Errors
    /// [`Code::Internal`] if it does not serialise, which is a bug in the reply's type.
    fn answer(&self) -> Result<Answer, Fault>;
}

impl<R: Serialize> Reply for R {
    fn answer(&self) -> Result<Answer, Fault> {
        let json = to_raw_value(self).map_err(|error| {
            Fault::new(Code::Internal, format!("a reply does not serialise: {error}"))
        })?;
        Ok(Answer::of(json))
    }
}

/// A reply that goes out with a freshly signed token or ticket in it.
#[derive(Debug)]
pub struct Signed<R> {
    /// The rest of the reply: an object.
    pub reply: R,
    /// What to sign.
    pub claims: Claims,
}

impl<R: Serialize> Reply for Signed<R> {
    fn answer(&self) -> Result<Answer, Fault> {
        Ok(Answer { sign: Some(self.claims.clone()), ..self.reply.answer()? })
    }
}

/// The reply of a call that makes a thing or changes it, and says which it was.
#[derive(Debug)]
pub struct Upserted<R> {
    /// The thing.
    pub reply: R,
    /// Whether it was not there before.
    pub is_new: bool,
}

impl<R: Serialize> Reply for Upserted<R> {
    fn answer(&self) -> Result<Answer, Fault> {
        Ok(Answer { is_new: Some(self.is_new), ..self.reply.answer()? })
    }
}

/// What an answer does to the live session of its caller, before it is given; over HTTP there is none. A repeat by
/// its idempotency key does nothing of it.
#[derive(Debug, Clone, Default)]
pub struct Aside {
    /// The rooms that the session enters, by name: from then on it hears their topics
    /// ([`Service::rooms`](super::Service::rooms)). A name may end in `@` and a number, where it matters how lately it
    /// was entered: `seat/205@7` takes the place of `seat/205` and of `seat/205@6`.
    pub enters: Vec<String>,
    /// Those that it leaves; it need not be in them. Who leaves `seat/205@7` leaves it under any number up to 7, or none;
    /// who leaves `seat/205`, under any.
    pub leaves: Vec<String>,
    /// Who its guest is from then on.
    pub becomes: Option<Principal>,
    /// What begins or ends with it.
    pub signals: Vec<Signal>,
}

impl Aside {
    /// The session enters this room.
    pub fn entering(room: impl Into<String>) -> Aside {
        Aside { enters: vec![room.into()], ..Aside::default() }
    }

    /// The session leaves these rooms.
    pub fn leaving<R: Into<String>>(rooms: impl IntoIterator<Item = R>) -> Aside {
        Aside { leaves: rooms.into_iter().map(Into::into).collect(), ..Aside::default() }
    }

    /// Whether one of the rooms that are left is that of this name.
    pub fn is_left(leaves: &[String], name: &str) -> bool {
        let is_it = |left: &String| room_and_number(left) == (room_and_number(name).0, None);
        leaves.iter().any(|left| is_it(left) || Aside::is_replaced(left, name))
    }

    /// Whether a room that is entered takes the place of that of this name.
    pub fn is_replaced(entered: &str, name: &str) -> bool {
        let ((room, upto), (known, number)) = (room_and_number(entered), room_and_number(name));
        room == known && number <= upto
    }

    /// Something begins or ends.
    pub fn signalling(signal: Signal) -> Aside {
        Aside { signals: vec![signal], ..Aside::default() }
    }
}

/// The name of a room without its number, and that.
pub fn room_and_number(name: &str) -> (&str, Option<i64>) {
    let parts = name.rsplit_once('@').and_then(|(room, number)| Some((room, number.parse().ok()?)));
    parts.map_or((name, None), |(room, number)| (room, Some(number)))
}

/// Something that lasts for a while and is told by events that pass: that somebody types. It is told at most once a
/// second that it begins, and that it ends.
#[derive(Debug, Clone)]
pub enum Signal {
    /// It begins, or goes on.
    Begins {
        /// What, and whose.
        key: String,
        /// How that is told.
        begins: Event,
        /// How its end is told.
        ends: Event,
        /// After this time, in microseconds, it ends by itself; before, with the session that began it.
        lasts: Micros,
    },
    /// It ends.
    Ends {
        /// What, and whose.
        key: String,
        /// How that is told; `None`: as its beginning had it.
        ends: Option<Event>,
        /// Whether it is told also if it had not begun.
        always: bool,
    },
}

/// A reply with something [aside](Aside).
#[derive(Debug)]
pub struct WithAside<R> {
    /// The reply.
    pub reply: R,
    /// What else happens.
    pub aside: Aside,
}

impl<R: Serialize> Reply for WithAside<R> {
    fn answer(&self) -> Result<Answer, Fault> {
        Ok(Answer { aside: Some(Box::new(self.aside.clone())), ..self.reply.answer()? })
    }
}

/// A decision that may refuse its caller and still change something, such as counting how often that was.
#[derive(Debug)]
pub enum Verdict<R> {
    /// The reply.
    Granted(R),
    /// The refusal.
    Refused(Fault),
}

impl<R: Reply> Reply for Verdict<R> {
    fn answer(&self) -> Result<Answer, Fault> {
        match self {
            Verdict::Granted(reply) => reply.answer(),
            Verdict::Refused(fault) => Ok(Answer { refusal: Some(fault.clone()), ..().answer()? }),
        }
    }
}

/// What a signed text says (RFC 7519): the door adds `iss` and `aud` and signs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Its own id, unguessable; the row of a token is found by it.
    pub jti: String,
    /// Whom a token speaks for; for a ticket, the `jti` of the token it stands for.
    pub sub: String,
    /// The role's name; [`Claims::TICKET`] for a ticket.
    pub role: String,
    /// When it was made, in seconds since the epoch.
    pub iat: i64,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
}

impl Claims {
    /// What stands for a role in a ticket, which is no token and is never taken for one.
    pub const TICKET: &str = "ticket";

    /// When it ends, in microseconds.
    pub fn expires_at(&self) -> Micros {
        self.exp.saturating_mul(1_000_000)
    }

    /// Whether this is a ticket's.
    pub fn is_ticket(&self) -> bool {
        self.role == Claims::TICKET
    }
}
