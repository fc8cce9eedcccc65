//! Who may call: tokens with a role and scopes, verified, changeable and revocable while
//! connections live.
//!
//! - A token is a signed statement (the server's `credentials`) that points to a row here by its
//!   `jti`. The row is the truth: role, scopes, and whether it is still valid.
//! - Changing scopes grants and evicts topics of live sessions; revoking ends them. Both are
//!   effects in the log, so they take place between the events around them.
//! - Only the operator (who can read the data directory) makes and changes tokens.

mod contract;
mod decide;
mod read;
mod sql;

pub use contract::{ChangeToken, CreateToken, RevokeToken, Token, Tokens};
pub use read::{check, principal};

use crate::kit::{Access, Service};

const MIGRATIONS: &[&str] = &["
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
"];

/// What this service offers.
pub fn service() -> Service {
    Service::new("identity", MIGRATIONS, sql::STATEMENTS)
        .signing_command("tokens.create", Access::Operator, decide::create)
        .command("tokens.change", Access::Operator, decide::change)
        .command("tokens.revoke", Access::Operator, decide::revoke)
        .query("tokens.list", Access::Operator, read::list)
}
