//! Rights that end while another lets the same be heard: only a read can tell, so nothing is skipped in silence.

use super::{
    super::recent::Shape,
    script::{House, check, check_with},
};

/// Who has no cursor would not know that it missed something.
#[test]
fn without_a_cursor_what_waits_is_dropped_only_if_it_is_not_for_him() {
    let blind = |script: &str, told: &str, needs: &str| {
        check_with(House::new(Shape::Plain, 100, 1 << 20), script, told, needs);
    };
    blind("read:0:room take:0 room @all -room @all drain", "", "");
    blind("read:0:room,hall take:0 room hall @all -room @all drain", "2", "");
    blind("read:0:room,hall take:0 room hall @all <room @all drain", "2", "");
    // Another right for the one that he lost.
    blind("read:0:room take:0 room @all -room+hall @all drain", "", "slow");
    blind("read:0:room take:0 room @all -room +hall @all drain", "", "");
    // Where topics do not say all, any other may be one.
    blind("judged read:0:room take:0 room @all -room @all drain", "", "");
    blind("judged read:0:room,hall take:0 room @all -room @all drain", "", "slow");
    blind("judged read:0:room take:0 room @all <room @all drain", "", "slow");
}

/// What a service let a read have is owed to no topic that the hub knows of.
#[test]
fn what_was_judged_waits_for_no_change_of_its_service() {
    check("take:0 room read:1:room,hall:0 @all <hall @all drain", "1", "");
    check("judged take:0 room read:1:room,hall:0 @all <hall @all drain", "", "slow");
    check("judged take:0 room read:1:room,hall:0 @all -hall @all drain", "", "slow");
    check("judged take:0 room read:1:room,hall:0 @all +seat @all drain", "1", "");
    // What came later is owed to its topic.
    check("judged room read:1:room,hall:0 take:0 room @all -hall @all drain", "1 2", "");
}
