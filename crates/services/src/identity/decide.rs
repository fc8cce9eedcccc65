//! Decisions about tokens.

use bellwire_store::tx::Value;

use super::{
    contract::{ChangeToken, CreateToken, RevokeToken, SCOPES_MAX, SUBJECT_LEN_MAX, TTL_S, Token},
    read, sql,
};
use crate::{
    check_change,
    kit::{Claims, Code, Ctx, Effect, Fault, Outcome, Principal, Scope, Signed, Tx, timestamp},
    readable_topics,
};

/// Makes a token.
pub fn create(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &CreateToken,
) -> Result<Outcome<Signed<Token>>, Fault> {
    if !TTL_S.contains(&cmd.ttl_s) {
        return Err(Fault::new(
            Code::Invalid,
            "ttl_s: a token lives between a second and ten years",
        ));
    }
    if cmd.subject.as_ref().is_some_and(|subject| !(1..=SUBJECT_LEN_MAX).contains(&subject.len())) {
        return Err(Fault::new(Code::Invalid, format!("subject: 1 to {SUBJECT_LEN_MAX} bytes")));
    }
    let scopes = scopes_json(&cmd.scopes)?;
    let id = format!("tok_{}", tx.next_id("tokens")?);
    let jti = ctx.ids.text();
    let iat = ctx.now.div_euclid(1_000_000);
    // Rounded up, so that a token lives at least as long as was asked.
    let exp = iat + i64::from(ctx.now.rem_euclid(1_000_000) > 0) + cmd.ttl_s;
    tx.execute(
        sql::INSERT,
        &[
            Value::Text(&id),
            Value::Text(&jti),
            Value::Text(cmd.role.name()),
            cmd.subject.as_deref().map_or(Value::Null, Value::Text),
            Value::Text(&scopes),
            Value::Integer(ctx.now),
            Value::Integer(exp * 1_000_000),
        ],
    )?;
    let sub = cmd.subject.clone().unwrap_or_else(|| id.clone());
    let reply = Token {
        id,
        role: cmd.role.name().to_owned(),
        subject: cmd.subject.clone(),
        scopes: cmd.scopes.clone(),
        expires_at: timestamp(exp * 1_000_000),
        revoked: false,
    };
    let claims = Claims { jti, sub, role: cmd.role.name().to_owned(), iat, exp };
    let bearer = Principal {
        id: reply.id.clone(),
        role: cmd.role,
        scopes: cmd.scopes.clone(),
        generation: 1,
        expires_at: None,
    };
    // A right begins somewhere: with an older cursor nothing from before is replayed.
    let grants = readable_topics(&bearer)
        .into_iter()
        .map(|topic| Effect::Grant { principal: bearer.id.clone(), topic });
    Ok(grants.fold(Outcome::reply(Signed { reply, claims }), Outcome::effect))
}

/// Scopes as the table keeps them.
fn scopes_json(scopes: &[Scope]) -> Result<String, Fault> {
    if scopes.len() > SCOPES_MAX {
        return Err(Fault::new(Code::Invalid, format!("scopes: at most {SCOPES_MAX}")));
    }
    Ok(serde_json::json!(scopes).to_string())
}

/// Sets a token's scopes: what may no longer be heard is evicted, what is new is granted.
pub fn change(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &ChangeToken) -> Result<Outcome<()>, Fault> {
    let scopes = scopes_json(&cmd.scopes)?;
    let old = live(tx, ctx, &cmd.id)?;
    let new = Principal { scopes: cmd.scopes.clone(), ..old.clone() };
    check_change(&old, &new)?;
    tx.execute(sql::CHANGE, &[Value::Text(&cmd.id), Value::Text(&scopes)])?;
    let (before, after) = (readable_topics(&old), readable_topics(&new));
    let principal = || cmd.id.clone();
    let lost = before.iter().filter(|topic| !after.contains(topic));
    let won = after.iter().filter(|topic| !before.contains(topic));
    let evict = lost.map(|topic| Effect::Evict { principal: principal(), topic: topic.clone() });
    let grant = won.map(|topic| Effect::Grant { principal: principal(), topic: topic.clone() });
    Ok(evict.chain(grant).fold(Outcome::reply(()), Outcome::effect))
}

/// Ends a token.
pub fn revoke(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &RevokeToken) -> Result<Outcome<()>, Fault> {
    live(tx, ctx, &cmd.id)?;
    tx.execute(sql::REVOKE, &[Value::Text(&cmd.id), Value::Integer(ctx.now)])?;
    Ok(Outcome::reply(()).effect(Effect::Revoke { principal: cmd.id.clone() }))
}

fn live(tx: &Tx<'_>, ctx: &Ctx<'_>, id: &str) -> Result<Principal, Fault> {
    read::by_id(tx, id, ctx.now)?
        .ok_or_else(|| Fault::new(Code::NotFound, format!("there is no live token {id}")))
}
