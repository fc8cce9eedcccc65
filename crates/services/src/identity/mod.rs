//! Who may call: users with passwords, and tokens with a role and scopes; both changeable and revocable
//! while connections live. docs/protocol.md has the requests.
//!
//! - A token is a signed statement (the server's `credentials`) that points to a row here by its
//!   `jti`. The row is the truth: role, scopes, and whether it is still valid.
//! - Signing in makes a session: a token that has its user's role and scopes at any time. A token made
//!   by an admin has scopes of its own, or those of a user if none are named; its role is never more
//!   than its user's.
//! - Changing rights grants and evicts topics of live sessions; revoking ends them. Both are effects in
//!   the log, so they take place between the events around them. They name a token, a user with all
//!   tokens (`user/1`), or those that have the user's own scopes (`user/1/scopes`).
//! - A password is hashed before the transaction, never inside; who does not exist takes as long to
//!   refuse as who does.
//! - A guest who said who they are ([`guest_as`]) speaks for that user and has no rights of theirs; it ends with the
//!   user.
//! - A ticket stands for a token once: what is kept is that it was used.

mod clients;
mod contract;
mod guests;
mod password;
mod read;
mod seed;
mod session;
mod sql;
#[cfg(test)]
mod tests;
mod tokens;
mod users;

pub use clients::{end_older_tokens, end_tokens_of, first_use, issue_to_client, unused_claims};
pub use contract::{
    ChangeToken, ChangeUser, CreateToken, CreateUser, Kind, ListTokens, ListUsers, Login,
    NewPassword, Nothing, Picture, Token, TokenId, User, UserId, UserRole,
};
pub use guests::{USERS_MAX, guest_as, make_on_the_spot};
pub use read::{
    check, enabled_admins, enabled_users, existing, has_admin, houseworkers, principal, user,
    usernames,
};
pub use seed::{Sample, add_sample, hash_sample};

use bellwire_store::tx::Value;

use crate::{
    acknowledgements,
    kit::{Access, Cookie, Fault, Micros, Prepared, Route, Service, Tx},
};

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE tokens (
        token_id TEXT PRIMARY KEY,
        jti TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL,
        subject TEXT,
        scopes TEXT NOT NULL,
        generation INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        revoked_at INTEGER
    );
",
    "
    CREATE TABLE users (
        user_id INTEGER PRIMARY KEY,
        login TEXT NOT NULL UNIQUE,
        username TEXT NOT NULL,
        password TEXT,
        role TEXT NOT NULL,
        kind TEXT,
        email TEXT,
        scopes TEXT NOT NULL,
        disabled INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    );
    ALTER TABLE tokens ADD COLUMN user_id INTEGER;
    ALTER TABLE tokens ADD COLUMN follows INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tokens ADD COLUMN session INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX tokens_by_user ON tokens (user_id) WHERE revoked_at IS NULL;
    CREATE INDEX tokens_by_age ON tokens (created_at, token_id);
    CREATE INDEX tokens_by_end ON tokens (expires_at);
    CREATE TABLE tickets (
        ticket TEXT PRIMARY KEY,
        expires_at INTEGER NOT NULL
    );
    CREATE INDEX tickets_by_end ON tickets (expires_at);
",
    "
    ALTER TABLE tokens ADD COLUMN unused INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX tokens_of_clients ON tokens (subject) WHERE role = 'client' AND revoked_at IS NULL;
",
    "
    ALTER TABLE users ADD COLUMN picture TEXT;
    CREATE INDEX users_houseworkers ON users (user_id) WHERE kind = 'houseworker';
",
];

/// How long the rows of tokens are kept after their end: a month.
const ENDED_KEPT_MICROS: Micros = 30 * 86_400 * 1_000_000;

/// What this service offers.
pub fn service() -> Service {
    let service = Service::new("identity", MIGRATIONS, sql::STATEMENTS)
        .prepared_command(
            "auth.login",
            Access::Anyone,
            Prepared { look: session::look, work: session::compare, decide: session::login },
        )
        .query("auth.verify", Access::Bearer, read::verify)
        .command("auth.refresh", Access::Credential, session::refresh)
        .command("auth.logout", Access::Credential, session::logout)
        .command("auth.ticket", Access::Credential, session::ticket)
        .command("auth.use_ticket", Access::Operator, session::use_ticket)
        .prepared_command(
            "auth.password",
            Access::Credential,
            Prepared {
                look: session::look_at_own,
                work: session::compare_own,
                decide: session::change_password,
            },
        )
        .rest(
            "auth.login",
            Route::post("/api/auth/login").status(200).cookie(Cookie::Set).guarded("username"),
        )
        .rest("auth.verify", Route::get("/api/auth/verify"))
        .rest("auth.refresh", Route::post("/api/auth/refresh").status(200).cookie(Cookie::Renew))
        .rest("auth.logout", Route::post("/api/auth/logout").status(204).cookie(Cookie::Clear))
        .rest("auth.ticket", Route::post("/api/auth/ticket"))
        .rest("auth.password", Route::post("/api/auth/password").status(204).guarded("username"));
    administration(service)
}

/// What only admins do.
fn administration(service: Service) -> Service {
    service
        .command("tokens.create", Access::Admin, tokens::create)
        .command("tokens.change", Access::Admin, tokens::change)
        .command("tokens.revoke", Access::Admin, tokens::revoke)
        .query("tokens.list", Access::Admin, read::tokens)
        .query("tokens.get", Access::Admin, read::token)
        .rest("tokens.list", Route::get("/api/tokens?limit:int&cursor"))
        .rest("tokens.create", Route::post("/api/tokens"))
        .rest("tokens.get", Route::get("/api/tokens/{id}"))
        .rest("tokens.change", Route::patch("/api/tokens/{id}"))
        .rest("tokens.revoke", Route::delete("/api/tokens/{id}"))
        .prepared_command(
            "users.create",
            Access::Admin,
            Prepared { look: users::look_at_new, work: users::hash_new, decide: users::create },
        )
        .prepared_command(
            "users.change",
            Access::Admin,
            Prepared {
                look: users::look_at_change,
                work: users::hash_change,
                decide: users::change,
            },
        )
        .command("users.delete", Access::Admin, users::delete)
        .query("users.list", Access::Admin, read::users)
        .query("users.get", Access::Admin, read::one_user)
        .query("users.find", Access::Operator, read::find_user)
        .rest("users.list", Route::get("/api/users?limit:int&cursor"))
        .rest("users.create", Route::post("/api/users"))
        .rest("users.get", Route::get("/api/users/{userId}"))
        .rest("users.change", Route::patch("/api/users/{userId}"))
        .rest("users.delete", Route::delete("/api/users/{userId}"))
}

/// Notes of the next `rows_max` tokens, about, that ended after `from` that they have: they stay ended, whatever the
/// clock says later. Says up to when that was; `None`: there are no more.
///
/// # Errors
/// The store's.
pub fn end(
    tx: &mut Tx<'_>,
    from: Micros,
    now: Micros,
    rows_max: i64,
) -> Result<Option<Micros>, Fault> {
    let next = [from, now, rows_max].map(Value::Integer);
    let upto = tx.one(sql::ENDED_UPTO, &next, |row| row.optional_integer(0))?.flatten();
    if let Some(upto) = upto {
        tx.execute(sql::END, &[from, upto].map(Value::Integer))?;
    }
    Ok(upto)
}

/// Forgets up to `rows_max` tokens that ended a month ago, and as many tickets; says how many.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, now: Micros, rows_max: i64) -> Result<u64, Fault> {
    let ended = [Value::Integer(now - ENDED_KEPT_MICROS), Value::Integer(rows_max)];
    let tokens = tx.all(sql::FORGET, &ended, |row| row.text(0))?;
    // Those without a user, a client or a device are principals of their own.
    tokens.iter().try_for_each(|token| acknowledgements::forget(tx, token))?;
    let tickets =
        tx.execute(sql::FORGET_TICKETS, &[Value::Integer(now), Value::Integer(rows_max)])?;
    Ok(tokens.len() as u64 + tickets)
}
