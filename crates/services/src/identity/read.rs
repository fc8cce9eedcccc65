//! Queries about tokens, and the two questions that every call asks: whose credential is this, and
//! does it still hold?

use bellwire_store::tx::{Row, Statement, Value};
use serde::Serialize;

use super::{
    contract::{Token, Tokens},
    sql,
};
use crate::kit::{Code, Ctx, Fault, Micros, Principal, ReadTx, Role, Scope, timestamp};

/// The list of tokens.
#[derive(Debug, Serialize)]
pub struct TokenList {
    items: Vec<Token>,
}

/// All tokens, without their text.
pub fn list(tx: &ReadTx<'_>, _: &Ctx<'_>, _: &Tokens) -> Result<TokenList, Fault> {
    let items = tx.all(sql::LIST, &[], |row| Token {
        id: row.text(0),
        role: row.text(1),
        subject: row.optional_text(2),
        scopes: scopes(row.text_ref(3)),
        expires_at: timestamp(row.integer(4)),
        revoked: row.optional_integer(5).is_some(),
    })?;
    Ok(TokenList { items })
}

/// The holder of the token with this `jti`.
///
/// # Errors
/// [`Code::Unauthenticated`] when there is no such token, or it is expired or revoked.
pub fn principal(tx: &ReadTx<'_>, jti: &str, now: Micros) -> Result<Principal, Fault> {
    find(tx, sql::BY_JTI, jti, now)?
        .ok_or(Fault::new(Code::Unauthenticated, "token invalid, expired or revoked"))
}

/// The holder of the token with this id, if it is valid at `now`.
pub(super) fn by_id(tx: &ReadTx<'_>, id: &str, now: Micros) -> Result<Option<Principal>, Fault> {
    find(tx, sql::BY_ID, id, now)
}

fn find(
    tx: &ReadTx<'_>,
    statement: Statement,
    wanted: &str,
    now: Micros,
) -> Result<Option<Principal>, Fault> {
    tx.one(statement, &[Value::Text(wanted)], |row| bearer(row, now)).map(Option::flatten)
}

fn bearer(row: &Row<'_>, now: Micros) -> Option<Principal> {
    let (expires_at, revoked_at) = (row.integer(4), row.optional_integer(5));
    if revoked_at.is_some() || expires_at <= now {
        return None;
    }
    Some(Principal {
        id: row.text(0),
        role: Role::from_name(row.text_ref(1))?,
        scopes: scopes(row.text_ref(2)),
        generation: row.integer(3),
        expires_at: Some(expires_at),
    })
}

fn scopes(json: &str) -> Vec<Scope> {
    serde_json::from_str(json).expect("scopes are written by this service, as JSON")
}

/// Whether the rights of `principal` are still those it was let in with: `None` if they are, the
/// principal as it is now if its scopes were changed. Asked inside the write transaction, so that a
/// command queued before a revocation does not run after it.
///
/// # Errors
/// [`Code::Unauthenticated`] when the token has expired or was revoked meanwhile.
pub fn check(
    tx: &ReadTx<'_>,
    principal: &Principal,
    now: Micros,
) -> Result<Option<Principal>, Fault> {
    if matches!(principal.role, Role::Guest | Role::System) {
        return Ok(None);
    }
    let place = [Value::Text(&principal.id), Value::Integer(now)];
    match tx.one(sql::GENERATION, &place, |row| row.integer(0))? {
        Some(generation) if generation == principal.generation => Ok(None),
        Some(_) => by_id(tx, &principal.id, now)?.map(Some).ok_or_else(ended),
        None => Err(ended()),
    }
}

fn ended() -> Fault {
    Fault::new(Code::Unauthenticated, "token expired or revoked")
}
