//! Who may read and write which entity.
//!
//! Admins, users, guests of the demo and the server itself read and write everything. A token with
//! any `states:*` scope is limited to its scopes, whatever its role (admins excepted): `states:read`
//! and `states:write`, alone or with `:light.*` or `:light.kitchen`. Writing includes reading, since
//! writers are shown what they wrote. Paired screens and devices have no right without a scope.

use super::contract::EntityId;
use crate::kit::{Code, Fault, Principal, Role, Topic};

/// What may be done with an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// See its states and hear of its changes.
    Read,
    /// Change it.
    Write,
}

/// Whether `principal` has this right on the entity.
pub fn may(principal: &Principal, right: Right, entity_id: &EntityId) -> bool {
    reaches(principal, right).any(|reach| match reach {
        Reach::All => true,
        Reach::Domain(domain) => domain == entity_id.domain(),
        Reach::Entity(entity) => entity == entity_id.as_str(),
    })
}

/// The topics that `principal` may hear: `states` for everything, else `domain/D` and `entity/E`.
pub fn topics(principal: &Principal) -> Vec<Topic> {
    let mut topics = Vec::new();
    for reach in reaches(principal, Right::Read) {
        let topic = match reach {
            Reach::All => return vec![Topic::Borrowed("states")],
            Reach::Domain(domain) => Topic::Owned(format!("domain/{domain}")),
            Reach::Entity(entity) => Topic::Owned(format!("entity/{entity}")),
        };
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    topics
}

/// Refuses a change that takes the last limit on states from a user's token: without one it could
/// read and write them all.
///
/// # Errors
/// [`Code::Invalid`] for such a change.
pub fn check_change(old: &Principal, new: &Principal) -> Result<(), Fault> {
    if old.role == Role::User && is_limited(old) && !is_limited(new) {
        let why = "scopes: a user's token without any states: scope may read and write every state; \
                   name one, or revoke it";
        return Err(Fault::new(Code::Invalid, why));
    }
    Ok(())
}

/// Whether any of its scopes is about states.
fn is_limited(principal: &Principal) -> bool {
    principal.scopes.iter().any(|scope| scope.of_service("states").is_some())
}

/// What one right extends to.
enum Reach<'a> {
    All,
    Domain(&'a str),
    Entity(&'a str),
}

fn reaches(principal: &Principal, right: Right) -> impl Iterator<Item = Reach<'_>> {
    let by_role = match principal.role {
        Role::Admin | Role::Guest | Role::System => true,
        Role::User => !is_limited(principal),
        Role::Client | Role::Device => false,
    };
    let by_scope = principal.scopes.iter().filter_map(move |scope| {
        let (granted, what) = scope.of_service("states")?;
        let counts = granted == "write" || (granted == "read" && right == Right::Read);
        counts.then_some(match what {
            None | Some("*") => Reach::All,
            Some(what) => what.strip_suffix(".*").map_or(Reach::Entity(what), Reach::Domain),
        })
    });
    by_role.then_some(Reach::All).into_iter().chain(by_scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::Scope;

    fn check(
        role: Role,
        scopes: &[&str],
        reads: &[&str],
        writes: &[&str],
        refused: &[&str],
        hears: &[&str],
    ) {
        let scopes = scopes.iter().map(|s| Scope::try_from((*s).to_owned()).unwrap()).collect();
        let principal = Principal { role, scopes, ..Principal::guest() };
        let may = |right, id: &&str| may(&principal, right, &EntityId::parse(id).unwrap());
        assert!(reads.iter().all(|id| may(Right::Read, id)), "reads {reads:?}");
        assert!(writes.iter().all(|id| may(Right::Write, id)), "writes {writes:?}");
        assert!(
            reads.iter().filter(|id| !writes.contains(id)).all(|id| !may(Right::Write, id)),
            "only reads {reads:?}"
        );
        assert!(
            refused.iter().all(|id| !may(Right::Read, id) && !may(Right::Write, id)),
            "refuses {refused:?}"
        );
        assert_eq!(topics(&principal), hears);
    }

    #[test]
    fn rights_by_role_and_scope() {
        let any = &["light.a", "lock.b"];
        check(Role::Admin, &[], any, any, &[], &["states"]);
        check(Role::Admin, &["states:read:light.a"], any, any, &[], &["states"]);
        check(Role::User, &[], any, any, &[], &["states"]);
        check(Role::User, &["stations:staff"], any, any, &[], &["states"]);
        check(Role::User, &["states:read"], any, &[], &[], &["states"]);
        check(Role::User, &["states:write"], any, any, &[], &["states"]);
        check(
            Role::User,
            &["states:read:light.*"],
            &["light.a"],
            &[],
            &["lock.b", "lights.a"],
            &["domain/light"],
        );
        check(
            Role::User,
            &["states:write:light.a"],
            &["light.a"],
            &["light.a"],
            &["light.b"],
            &["entity/light.a"],
        );
        check(
            Role::Device,
            &["states:read:light.*", "states:write:light.a", "states:read:light.*"],
            &["light.b", "light.a"],
            &["light.a"],
            &["lock.b"],
            &["domain/light", "entity/light.a"],
        );
        check(Role::Client, &[], &[], &[], any, &[]);
        check(Role::Client, &["states:fly", "areas:read"], &[], &[], any, &[]);
        check(Role::Guest, &[], any, any, &[], &["states"]);
    }
}
