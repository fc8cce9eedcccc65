//! Decisions about tokens.

use bellwire_store::tx::Value;

use super::{
    contract::{
        ChangeToken, CreateToken, SCOPES_MAX, SUBJECT_LEN_MAX, TTL_S, Token, TokenId, UserId,
    },
    read, sql,
};
use crate::{
    check_change, check_subject,
    kit::{
        Claims, Code, Ctx, Effect, Fault, Outcome, Principal, Role, Scope, Signed, Tx, Words,
        shortened, timestamp,
    },
    last_words, readable_topics,
};

/// `tokens.create`: makes a token.
pub fn create(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &CreateToken,
) -> Result<Outcome<Signed<Token>>, Fault> {
    if !TTL_S.contains(&cmd.ttl_s) {
        return Err(Fault::new(Code::Invalid, "ttl: a token lives between a second and ten years"));
    }
    if cmd.subject.as_ref().is_some_and(|subject| !(1..=SUBJECT_LEN_MAX).contains(&subject.len())) {
        return Err(Fault::new(Code::Invalid, format!("subject: 1 to {SUBJECT_LEN_MAX} bytes")));
    }
    let user = user_of(tx, cmd)?;
    check_subject(tx, cmd.role, cmd.subject.as_deref())?;
    let new = NewToken {
        role: cmd.role,
        subject: cmd.subject.as_deref(),
        scopes: &cmd.scopes,
        ttl_s: cmd.ttl_s,
        user: user.map(|(id, _)| id),
        follows: user.is_some_and(|(_, role)| role == cmd.role) && cmd.scopes.is_empty(),
        session: false,
    };
    let (reply, claims) = insert(tx, ctx, &new)?;
    let follows = new.follows;
    let bearer = read::by_id(tx, &reply.id, ctx.now)?;
    let outcome = Outcome::reply(Signed { reply, claims });
    // A right begins somewhere: with an older cursor nothing from before is replayed. One who has the
    // user's own rights begins where the user did.
    match bearer {
        Some(bearer) if !follows => {
            // Rights that every token of this client has are not new with this one: only what its own scopes add
            // begins here.
            let shared = match bearer.role {
                Role::Client => {
                    let client = Principal { scopes: Vec::new(), ..bearer.clone() };
                    readable_topics(tx, &client)?
                }
                _ => Vec::new(),
            };
            let mut own = readable_topics(tx, &bearer)?;
            own.retain(|topic| !shared.contains(topic));
            Ok(grant(outcome, &bearer.token, &own))
        }
        _ => Ok(outcome),
    }
}

/// The user whom a token is to speak for, if it is one, and the role that the user has.
fn user_of(tx: &Tx<'_>, cmd: &CreateToken) -> Result<Option<(UserId, Role)>, Fault> {
    let (Role::Admin | Role::User, Some(subject)) = (cmd.role, &cmd.subject) else {
        return Ok(None);
    };
    let found = match UserId::parse(subject) {
        Some(id) => read::user(tx, id)?,
        None => None,
    };
    let user = found.ok_or_else(|| Fault::new(Code::Invalid, "subject: there is no such user"))?;
    if user.disabled {
        return Err(Fault::new(Code::Invalid, "subject: this user is disabled"));
    }
    if cmd.role == Role::Admin && user.role.role() != Role::Admin {
        return Err(Fault::new(Code::Invalid, "role: this user is no admin"));
    }
    Ok(Some((user.user_id, user.role.role())))
}

/// A token to be made.
pub(super) struct NewToken<'a> {
    pub role: Role,
    pub subject: Option<&'a str>,
    pub scopes: &'a [Scope],
    pub ttl_s: i64,
    pub user: Option<UserId>,
    pub follows: bool,
    pub session: bool,
}

/// Adds the row of a token, and says what to sign.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    new: &NewToken<'_>,
) -> Result<(Token, Claims), Fault> {
    let scopes = scopes_json(new.scopes)?;
    let id = format!("tok_{}", tx.next_id("tokens")?);
    let jti = ctx.ids.text();
    let (iat, exp) = life(ctx, new.ttl_s);
    tx.execute(
        sql::INSERT,
        &[
            Value::Text(&id),
            Value::Text(&jti),
            Value::Text(new.role.name()),
            new.subject.map_or(Value::Null, Value::Text),
            Value::Text(&scopes),
            Value::Integer(ctx.now),
            Value::Integer(exp * 1_000_000),
            new.user.map_or(Value::Null, |user| Value::Integer(user.0)),
            Value::Integer(new.follows.into()),
            Value::Integer(new.session.into()),
        ],
    )?;
    let sub = new.subject.unwrap_or(&id).to_owned();
    let claims = Claims { jti, sub, role: new.role.name().to_owned(), iat, exp };
    let token = Token {
        id,
        role: new.role.name().to_owned(),
        subject: new.subject.map(str::to_owned),
        scopes: new.scopes.to_vec(),
        session: new.session,
        created_at: timestamp(ctx.now),
        expires_at: timestamp(exp * 1_000_000),
        revoked: false,
    };
    Ok((token, claims))
}

/// When a token of so many seconds begins and ends, in seconds since the epoch. Rounded up, so that it
/// lives at least as long as was asked.
pub(super) fn life(ctx: &Ctx<'_>, ttl_s: i64) -> (i64, i64) {
    let iat = ctx.now.div_euclid(1_000_000);
    (iat, iat + i64::from(ctx.now.rem_euclid(1_000_000) > 0) + ttl_s)
}

/// Scopes as the tables keep them.
pub(super) fn scopes_json(scopes: &[Scope]) -> Result<String, Fault> {
    if scopes.len() > SCOPES_MAX {
        return Err(Fault::new(Code::Invalid, format!("scopes: at most {SCOPES_MAX}")));
    }
    Ok(serde_json::json!(scopes).to_string())
}

/// Grants topics to whoever has this name.
pub(super) fn grant<R>(
    outcome: Outcome<R>,
    name: &str,
    topics: &[crate::kit::Topic],
) -> Outcome<R> {
    let grants = topics
        .iter()
        .map(|topic| Effect::Grant { principal: name.to_owned(), topic: topic.clone() });
    grants.fold(outcome, Outcome::effect)
}

/// What follows for the live sessions with this name when their rights change: what may no longer be
/// heard is evicted, what is new is granted.
///
/// # Errors
/// The store's.
pub(super) fn reform<R>(
    tx: &Tx<'_>,
    outcome: Outcome<R>,
    name: &str,
    old: &Principal,
    new: &Principal,
) -> Result<Outcome<R>, Fault> {
    let (before, after) = (readable_topics(tx, old)?, readable_topics(tx, new)?);
    let lost = before.iter().filter(|topic| !after.contains(topic));
    let evict =
        lost.map(|topic| Effect::Evict { principal: name.to_owned(), topic: topic.clone() });
    let won: Vec<_> = after.iter().filter(|topic| !before.contains(topic)).cloned().collect();
    Ok(grant(evict.fold(outcome, Outcome::effect), name, &won))
}

/// `tokens.change`: sets a token's scopes.
pub fn change(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &ChangeToken) -> Result<Outcome<Token>, Fault> {
    let scopes = scopes_json(&cmd.scopes)?;
    let old = live(tx, ctx, &cmd.id)?;
    if old.follows {
        let why =
            "scopes: this token has those of its user; change the user, or make another token";
        return Err(Fault::new(Code::Conflict, why));
    }
    let new = Principal { scopes: cmd.scopes.clone(), ..old.clone() };
    check_change(&old, &new)?;
    tx.execute(sql::CHANGE, &[Value::Text(&cmd.id), Value::Text(&scopes)])?;
    let reply = read::token(tx, ctx, &TokenId { id: cmd.id.clone() })?;
    reform(tx, Outcome::reply(reply), &cmd.id, &old, &new)
}

/// `tokens.revoke`: ends a token.
pub fn revoke(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &TokenId) -> Result<Outcome<()>, Fault> {
    let bearer = live(tx, ctx, &cmd.id)?;
    end(tx, ctx, &cmd.id, last_words(bearer.role))
}

/// Ends a live token, and its sessions, which are told these words last; without any, that it was revoked.
pub(super) fn end(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    id: &str,
    last: Option<Words>,
) -> Result<Outcome<()>, Fault> {
    tx.execute(sql::REVOKE, &[Value::Text(id), Value::Integer(ctx.now)])?;
    Ok(Outcome::reply(()).effect(Effect::Revoke { principal: id.to_owned(), last }))
}

fn live(tx: &Tx<'_>, ctx: &Ctx<'_>, id: &str) -> Result<Principal, Fault> {
    read::by_id(tx, id, ctx.now)?.ok_or_else(|| {
        Fault::new(Code::NotFound, shortened(format!("there is no live token {id}")))
    })
}
