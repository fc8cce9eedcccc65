//! The questions that every call asks: whose credential is this, and does it still hold? And queries
//! about tokens and users.

use bellwire_store::tx::{Row, Statement, Value};

use super::{
    contract::{
        FindUser, Kind, ListTokens, ListUsers, Login, OneUser, Person, Token, TokenId, User,
        UserId, UserRole, Verified,
    },
    sql,
};
use crate::kit::{
    Code, Ctx, Fault, Micros, Page, Principal, ReadTx, Role, Scope, timestamp, wrong_cursor,
};

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
    let mut bearer = Principal {
        id: row.text(0),
        token: row.text(0),
        follows: row.integer(8) != 0,
        role: Role::from_name(row.text_ref(1))?,
        subject: row.optional_text(6),
        scopes: scopes(row.text_ref(2)),
        generation: row.integer(3),
        expires_at: Some(expires_at),
        unused: row.integer(13) != 0,
    };
    match (bearer.role, row.optional_integer(7)) {
        (Role::Admin | Role::User, Some(user_id)) => {
            // Without a row there is no such user any more.
            let role = UserRole::from_name(row.optional_text_ref(9)?)?;
            if row.integer(12) != 0 {
                return None;
            }
            bearer.id = Principal::user(user_id);
            bearer.generation += row.integer(11);
            if bearer.follows {
                (bearer.role, bearer.scopes) = (role.role(), scopes(row.text_ref(10)));
            } else if role == UserRole::User {
                bearer.role = Role::User;
            }
        }
        (Role::Client | Role::Device, _) => {
            if let Some(subject) = &bearer.subject {
                bearer.id = format!("{}/{subject}", bearer.role.name());
            }
        }
        _ => {}
    }
    Some(bearer)
}

fn scopes(json: &str) -> Vec<Scope> {
    serde_json::from_str(json).expect("scopes are written by this service, as JSON")
}

/// Whether the rights of `principal` are still those it was let in with: `None` if they are, the
/// principal as it is now if they were changed. Asked inside the write transaction, so that a
/// command queued before a revocation does not run after it.
///
/// # Errors
/// [`Code::Unauthenticated`] when the token has expired or was revoked meanwhile.
pub fn check(
    tx: &ReadTx<'_>,
    principal: &Principal,
    now: Micros,
) -> Result<Option<Principal>, Fault> {
    match principal.role {
        Role::Guest => return check_guest(tx, principal).map(|()| None),
        Role::Pairing | Role::System => return Ok(None),
        Role::Admin | Role::User | Role::Client | Role::Device => {}
    }
    let place = [Value::Text(&principal.token), Value::Integer(now)];
    match tx.one(sql::GENERATION, &place, |row| row.integer(0))? {
        Some(generation) if generation == principal.generation => Ok(None),
        Some(_) => by_id(tx, &principal.token, now)?.map(Some).ok_or_else(ended),
        None => Err(ended()),
    }
}

/// Refuses a guest who speaks for a user ([`guest_as`](super::guest_as)) that is gone, is shut out, or is an admin by
/// now.
fn check_guest(tx: &ReadTx<'_>, guest: &Principal) -> Result<(), Fault> {
    let Some(id) = guest.subject.as_deref().and_then(UserId::parse) else { return Ok(()) };
    tx.one(sql::IS_PERSON, &[Value::Integer(id.0)], |_| ())?.ok_or_else(|| {
        Fault::new(Code::Unauthenticated, "there is no such user any more, or nobody may be them")
    })
}

fn ended() -> Fault {
    Fault::new(Code::Unauthenticated, "token expired or revoked")
}

/// What a caller without a token is told where one is needed.
pub(super) fn no_token() -> Fault {
    Fault::new(Code::Unauthenticated, "authentication required")
}

/// `auth.verify`: who the credential stands for.
pub fn verify(_: &ReadTx<'_>, ctx: &Ctx<'_>, _: &super::Nothing) -> Result<Verified, Fault> {
    let principal = ctx.principal;
    let subject =
        |roles: &[Role]| principal.subject.clone().filter(|_| roles.contains(&principal.role));
    Ok(Verified {
        valid: true,
        role: principal.role.name(),
        user_id: subject(&[Role::Admin, Role::User]),
        client_id: subject(&[Role::Client]),
        device_id: subject(&[Role::Device]),
        expires_at: principal.expires_at.map(timestamp),
    })
}

/// `tokens.list`: all tokens, without their text. A cursor is the last one's time and id.
pub fn tokens(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &ListTokens) -> Result<Page<Token>, Fault> {
    let len = query.paging.page_len()?;
    let (at, id) = match query.paging.cursor.as_deref().map(|cursor| cursor.split_once('.')) {
        None => (i64::MAX, ""),
        Some(Some((at, id))) => (at.parse().map_err(|_| wrong_cursor())?, id),
        Some(None) => return Err(wrong_cursor()),
    };
    let place = [Value::Integer(at), Value::Text(id), Value::Integer(len as i64 + 1)];
    let rows = tx.all(sql::LIST, &place, |row| (row.integer(5), shown(row)))?;
    let page = Page::of(rows, len, |(at, token)| format!("{at}.{}", token.id));
    Ok(Page { items: page.items.into_iter().map(|(_, token)| token).collect(), next: page.next })
}

/// `tokens.get`.
pub fn token(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &TokenId) -> Result<Token, Fault> {
    tx.one(sql::SHOW, &[Value::Text(&query.id)], shown)?
        .ok_or_else(|| Fault::new(Code::NotFound, "there is no such token"))
}

fn shown(row: &Row<'_>) -> Token {
    let (expires_at, revoked_at) = (row.integer(6), row.optional_integer(7));
    Token {
        id: row.text(0),
        role: row.text(1),
        subject: row.optional_text(2),
        scopes: scopes(row.text_ref(3)),
        session: row.integer(4) != 0,
        created_at: timestamp(row.integer(5)),
        expires_at: timestamp(expires_at),
        // One that ended by itself was not.
        revoked: revoked_at.is_some_and(|at| at != expires_at),
    }
}

/// `users.list`: all users. A cursor is the last one's id.
pub fn users(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &ListUsers) -> Result<Page<User>, Fault> {
    let len = query.paging.page_len()?;
    let after = query.paging.after()?.unwrap_or(0);
    let rows =
        tx.all(sql::USERS, &[Value::Integer(after), Value::Integer(len as i64 + 1)], known)?;
    Ok(Page::of(rows, len, |user| user.user_id.0.to_string()))
}

/// `users.get`.
pub fn one_user(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &OneUser) -> Result<User, Fault> {
    user(tx, query.user_id)?.ok_or_else(no_user)
}

/// `users.find`.
pub fn find_user(tx: &ReadTx<'_>, _: &Ctx<'_>, query: &FindUser) -> Result<User, Fault> {
    let by_login = match Login::parse(&query.user) {
        Some(login) => {
            tx.one(sql::BY_LOGIN, &[Value::Text(login.as_str())], |row| UserId(row.integer(0)))?
        }
        None => None,
    };
    let found = match by_login.or_else(|| UserId::parse(&query.user)) {
        Some(id) => user(tx, id)?,
        None => None,
    };
    found.ok_or_else(no_user)
}

/// What is said when there is no such user.
pub(super) fn no_user() -> Fault {
    Fault::new(Code::NotFound, "there is no such user")
}

/// The user with this id.
///
/// # Errors
/// The store's.
pub fn user(tx: &ReadTx<'_>, id: UserId) -> Result<Option<User>, Fault> {
    tx.one(sql::USER, &[Value::Integer(id.0)], known)
}

fn known(row: &Row<'_>) -> User {
    User {
        user_id: UserId(row.integer(0)),
        login: row.text(1),
        username: row.text(2),
        role: UserRole::from_name(row.text_ref(3)).expect("only roles are stored"),
        kind: row.optional_text_ref(4).and_then(Kind::from_name),
        email: row.optional_text(5),
        scopes: scopes(row.text_ref(6)),
        disabled: row.integer(7) != 0,
        created_at: timestamp(row.integer(8)),
        updated_at: timestamp(row.integer(9)),
        picture: row.optional_text(10),
    }
}

impl User {
    /// The user as a caller with all of their rights.
    pub(super) fn principal(&self) -> Principal {
        Principal {
            id: Principal::user(self.user_id.0),
            token: String::new(),
            follows: true,
            role: self.role.role(),
            subject: Some(self.user_id.0.to_string()),
            scopes: self.scopes.clone(),
            generation: 0,
            expires_at: None,
            unused: false,
        }
    }

    /// The user as they see themselves.
    pub(super) fn person(&self) -> Person {
        Person {
            user_id: self.user_id,
            username: self.username.clone(),
            role: self.role,
            kind: self.kind,
            email: self.email.clone(),
        }
    }
}

/// The users that are not shut out, by id.
///
/// # Errors
/// The store's.
pub fn enabled_users(tx: &ReadTx<'_>) -> Result<Vec<UserId>, Fault> {
    tx.all(sql::ENABLED, &[], |row| UserId(row.integer(0)))
}

/// The admins among them.
///
/// # Errors
/// The store's.
pub fn enabled_admins(tx: &ReadTx<'_>) -> Result<Vec<UserId>, Fault> {
    tx.all(sql::ENABLED_ADMINS, &[], |row| UserId(row.integer(0)))
}

/// The enabled users of kind houseworker after this one, by id: at most so many.
///
/// # Errors
/// The store's.
pub fn houseworkers(
    tx: &ReadTx<'_>,
    after: Option<UserId>,
    len: usize,
) -> Result<Vec<User>, Fault> {
    let place = [Value::Integer(after.map_or(0, |id| id.0)), Value::Integer(len as i64)];
    tx.all(sql::HOUSEWORKERS, &place, known)
}

/// The names that others see of these users, in the same order; who is no user is left out. It costs a look by primary
/// key for each.
///
/// # Errors
/// The store's.
pub fn usernames(tx: &ReadTx<'_>, ids: &[UserId]) -> Result<Vec<(UserId, String)>, Fault> {
    let mut names = Vec::with_capacity(ids.len());
    for id in ids {
        let name = tx.one(sql::USERNAME, &[Value::Integer(id.0)], |row| row.text(0))?;
        names.extend(name.map(|name| (*id, name)));
    }
    Ok(names)
}

/// Which of these users exist, in the same order. Rows of other services may name users who were deleted just now,
/// until what is due then has run ([`due`](crate::kit::due)): who is written to or told something is asked for here.
///
/// # Errors
/// The store's.
pub fn existing(tx: &ReadTx<'_>, ids: &[UserId]) -> Result<Vec<UserId>, Fault> {
    Ok(usernames(tx, ids)?.into_iter().map(|(id, _)| id).collect())
}

/// Whether there is an admin who can sign in.
///
/// # Errors
/// The store's.
pub fn has_admin(tx: &ReadTx<'_>) -> Result<bool, Fault> {
    Ok(tx.one(sql::OTHER_ADMIN, &[Value::Integer(0)], |_| ())?.is_some())
}
