//! Who may hear and do what.
//!
//! Whoever is let in hears of stations. Staff hear who books, in full, and run the stations: admins, the operator, and
//! who has the scope `stations:staff`. A booking is its user's and staff's alone.
//!
//! | topic | who holds it | what it carries |
//! |---|---|---|
//! | `stations` | whoever is let in | what happens at stations, without the addresses of people |
//! | `stations/staff` | staff | the same with them |
//!
//! What happens at one station has its number for a key: `station/1` is that part of what one hears.

use super::contract::Booking;
use crate::{
    identity::UserId,
    kit::{Code, Fault, Heard, Named, Number, Principal, Role, Topic, Wish, number},
    notifications,
};

/// What all hear; and the name by which clients ask for it.
pub(super) const ALL: &str = "stations";
/// What staff hear.
pub(super) const STAFF: &str = "stations/staff";
/// What the topics begin with that are heard on this service's streams.
pub(super) const TOPICS: &[&str] = &[ALL];
/// What makes staff of who has no other right to be.
const SCOPE: &str = "stations:staff";

/// Whether a principal is staff.
pub(super) fn is_staff(principal: &Principal) -> bool {
    match principal.role {
        Role::Admin | Role::System => true,
        Role::User | Role::Client | Role::Device => {
            principal.scopes.iter().any(|scope| scope.as_str() == SCOPE)
        }
        Role::Guest | Role::Pairing => false,
    }
}

/// Refuses who is no staff.
///
/// # Errors
/// [`Code::Forbidden`].
pub(super) fn check_staff(principal: &Principal) -> Result<(), Fault> {
    match is_staff(principal) {
        true => Ok(()),
        false => Err(Fault::new(Code::Forbidden, "only staff may do that")),
    }
}

/// The topics that a principal may hear.
pub fn topics(principal: &Principal) -> Vec<Topic> {
    match principal.role {
        Role::Pairing => Vec::new(),
        _ if is_staff(principal) => vec![Topic::Borrowed(ALL), Topic::Borrowed(STAFF)],
        _ => vec![Topic::Borrowed(ALL)],
    }
}

/// The user for whom a principal books.
///
/// # Errors
/// [`Code::Forbidden`] for who speaks for no user.
pub(super) fn user(principal: &Principal) -> Result<UserId, Fault> {
    notifications::rights::caller(principal).ok_or_else(|| {
        Fault::new(Code::Forbidden, "only users have bookings, and this token speaks for none")
    })
}

/// Whether a principal may know of a booking.
pub(super) fn may_see(principal: &Principal, booking: &Booking) -> bool {
    is_staff(principal) || notifications::rights::caller(principal) == Some(booking.user_id)
}

/// What names of topics mean.
pub(super) fn named(name: &str) -> Option<Named> {
    if name == ALL {
        return Some(Named::All);
    }
    let id = number(name.strip_prefix("station/")?).and_then(Number::new)?;
    Some(Named::Key(id.to_string()))
}

/// What is heard of one station.
///
/// # Errors
/// None.
pub(super) fn heard_of_station(wish: &Wish<'_>) -> Result<Heard, Fault> {
    let id = wish.place.expect("its path has a number");
    Ok(Heard::of_key(id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stations_and_one_of_them() {
        let check = |name: &str, meant: Option<Named>| assert_eq!(named(name), meant, "{name:?}");
        check("stations", Some(Named::All));
        check("station/1", Some(Named::Key("1".into())));
        check("station/9007199254740991", Some(Named::Key("9007199254740991".into())));
        for other in [
            "",
            "station",
            "station/",
            "station/0",
            "station/01",
            "station/+1",
            "station/-1",
            "station/1/",
            "station/9007199254740992",
            "stations/",
            "stations/1",
            "stations/staff",
        ] {
            check(other, None);
        }
    }
}
