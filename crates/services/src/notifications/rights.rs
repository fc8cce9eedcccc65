//! Who hears of what.
//!
//! | topic | who holds it | what it carries |
//! |---|---|---|
//! | `inbox/7` | user 7, by any token | what is for them |
//! | `inbox/admins` | admins' tokens that speak for no user | what is for all admins |
//! | `inbox/all` | users, and those tokens | what is for everyone |

use crate::{
    identity::UserId,
    kit::{Principal, Role, Topic},
};

/// What the topics begin with that are heard on this service's streams.
pub const TOPICS: &[&str] = &["inbox"];

/// What is for all admins, for tokens that have no user's topic.
pub(super) const ADMINS: Topic = Topic::Borrowed("inbox/admins");
/// What is for everyone who may have an inbox.
pub(super) const ALL: Topic = Topic::Borrowed("inbox/all");

/// What is for one user.
pub(super) fn of_user(id: UserId) -> Topic {
    Topic::Owned(format!("inbox/{}", id.0))
}

/// The user for whom a principal speaks, if it is one's. Its subject alone says nothing: tokens from before there were
/// users may have a number there.
pub fn caller(principal: &Principal) -> Option<UserId> {
    let is_person = matches!(principal.role, Role::Admin | Role::User);
    let id = UserId::parse(principal.subject.as_deref().filter(|_| is_person)?)?;
    (Principal::user(id.0) == principal.id).then_some(id)
}

/// The topics that a principal may hear.
pub fn topics(principal: &Principal) -> Vec<Topic> {
    match (principal.role, caller(principal)) {
        (_, Some(id)) => vec![of_user(id), ALL],
        (Role::Admin | Role::System, None) => vec![ADMINS, ALL],
        _ => Vec::new(),
    }
}
