//! The names by which clients ask for topics: `states`, and `entity/ID`.
//!
//! They look like the topics of events, and are not: whoever may read one domain hears by `states`
//! what is in that domain.

use std::collections::BTreeSet;

use super::contract::EntityId;
use crate::kit::Named;

/// All that the principal may read.
pub const ALL: &str = "states";
/// Before the id of one entity.
const ENTITY: &str = "entity/";

/// What a name means here, if it is one of this service.
pub fn named(name: &str) -> Option<Named> {
    if name == ALL {
        return Some(Named::All);
    }
    let entity_id = EntityId::parse(name.strip_prefix(ENTITY)?)?;
    Some(Named::Key(entity_id.to_string()))
}

/// The names for these entities, or for all.
pub fn of(entities: Option<&[EntityId]>) -> Vec<String> {
    let Some(entities) = entities else { return vec![ALL.to_owned()] };
    let names: BTreeSet<_> = entities.iter().map(|id| format!("{ENTITY}{id}")).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_states_and_its_entities() {
        let check = |name: &str, meant: Option<Named>| assert_eq!(named(name), meant, "{name:?}");
        check("states", Some(Named::All));
        check("entity/light.a", Some(Named::Key("light.a".into())));
        for other in [
            "",
            "State",
            "states/",
            "states ",
            "entity",
            "entity/",
            "entity/light",
            "entity/Light.a",
            "entity/light.a/",
            "entity/light.a.b",
            "entity//light.a",
            "domain/light",
            "areas",
        ] {
            check(other, None);
        }
        let longest = format!("entity/a.{}", "b".repeat(EntityId::LEN_MAX - 2));
        check(&longest, Some(Named::Key(longest["entity/".len()..].into())));
        check(&format!("{longest}b"), None);
    }

    #[test]
    fn what_is_subscribed_to_has_names_that_mean_it() {
        let ids = ["light.b", "light.a", "light.b"].map(|id| EntityId::parse(id).expect("an id"));
        let check = |entities: Option<&[EntityId]>, names: &[&str], meant: &[Named]| {
            assert_eq!(of(entities), names);
            let read: Vec<_> = of(entities).iter().filter_map(|name| named(name)).collect();
            assert_eq!(read, meant);
        };
        check(None, &["states"], &[Named::All]);
        check(Some(&[]), &[], &[]);
        let [a, b] = ["light.a", "light.b"].map(|id| Named::Key(id.into()));
        check(Some(&ids), &["entity/light.a", "entity/light.b"], &[a, b]);
    }
}
