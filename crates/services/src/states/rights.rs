//! Who may read and write which entity.
//!
//! Admins, users, guests of the demo and the server itself read and write everything. A token with
//! any `states:*` scope is limited to its scopes, whatever its role (admins excepted): `states:read`
//! and `states:write`, alone or with `:light.*` or `:light.kitchen`. Writing includes reading, since
//! writers are shown what they wrote. Devices have no right without a scope; paired screens also read what is
//! in their enabled areas.

use super::contract::EntityId;
use crate::{
    areas,
    kit::{Code, Event, Fault, Principal, ReadTx, Role, Topic},
};

/// What the topics begin with that are heard on this service's streams.
pub const TOPICS: &[&str] = &["states", "domain", "entity", "area"];

/// What may be done with an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// See its states and hear of its changes.
    Read,
    /// Change it.
    Write,
}

/// Whether `principal` has this right on the entity.
///
/// # Errors
/// The store's.
pub fn may(
    tx: &ReadTx<'_>,
    principal: &Principal,
    right: Right,
    entity_id: &EntityId,
) -> Result<bool, Fault> {
    if by_scope(principal, right, entity_id) {
        return Ok(true);
    }
    Ok(right == Right::Read && areas::rights::reads(tx, principal, entity_id)?)
}

/// Whether its role and scopes give it this right.
fn by_scope(principal: &Principal, right: Right, entity_id: &EntityId) -> bool {
    reaches(principal, right).any(|reach| match reach {
        Reach::All => true,
        Reach::Domain(domain) => domain == entity_id.domain(),
        Reach::Entity(entity) => entity == entity_id.as_str(),
    })
}

/// Whether all that `principal` may read is in its areas.
pub fn reads_by_area_alone(principal: &Principal) -> bool {
    areas::rights::caller(principal).is_some() && reaches(principal, Right::Read).next().is_none()
}

/// The topics that `principal` may hear: `states` for everything, else `domain/D` and `entity/E`, and `area/A`
/// for the areas of a paired screen.
///
/// # Errors
/// The store's.
pub fn topics(tx: &ReadTx<'_>, principal: &Principal) -> Result<Vec<Topic>, Fault> {
    let mut topics = topics_by_scope(principal);
    if topics != [Topic::Borrowed("states")] {
        topics.extend(areas::rights::topics_of_states(tx, principal)?);
    }
    Ok(topics)
}

/// Whether `principal` may still be told of an entity's state that it missed, and was once let hear. The topic by which
/// it was does not say so: another may give that right by now, and an area may be disabled, or without the entity.
///
/// # Errors
/// The store's.
pub fn still(tx: &ReadTx<'_>, principal: &Principal, event: &Event) -> Result<bool, Fault> {
    match EntityId::parse(&event.key) {
        Some(entity_id) => may(tx, principal, Right::Read, &entity_id),
        None => Ok(false),
    }
}

fn topics_by_scope(principal: &Principal) -> Vec<Topic> {
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
        Role::Client | Role::Device | Role::Pairing => false,
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
        let may = |right, id: &&str| by_scope(&principal, right, &EntityId::parse(id).unwrap());
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
        assert_eq!(topics_by_scope(&principal), hears);
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
