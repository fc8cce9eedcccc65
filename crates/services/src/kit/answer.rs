//! What a call answers.

use bellwire_store::change::{Code, Fault, Micros};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// A reply as JSON text, and what the door has to sign for it.
#[derive(Debug)]
pub struct Answer {
    /// The reply.
    pub json: Box<RawValue>,
    /// When present, the door makes a token or a ticket of it and adds it to the reply, as `token` or
    /// `ticket`. So neither is ever stored, not even for an idempotent replay.
    pub sign: Option<Claims>,
    /// Whether the call made something that was not there, where that is not always so.
    pub is_new: Option<bool>,
    /// When present, the caller is refused after all, and what was decided stays.
    pub refusal: Option<Fault>,
}

impl Answer {
    /// A reply with nothing to sign.
    pub fn of(json: Box<RawValue>) -> Answer {
        Answer { json, sign: None, is_new: None, refusal: None }
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
