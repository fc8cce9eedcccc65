//! What passes: to whom it is told, when, and what becomes of it with the rights to it.

use super::{
    super::{passing::PASSED_MAX, *},
    House, check, check_forgetful, check_narrow, check_with,
    script::{event, told_as},
};

#[test]
fn what_passes_is_told_to_who_is_there() {
    // In its place among the rows, and with the cursor of the row before it.
    check("read:0:room room @1 ~room room @all ~room", "1 ~1@1 2 ~2@2", "");
    check("room room @all read:2:room ~room room @all", "~1@2 3", "");
    // It moves no place: the next row is told, and a read goes on from the same.
    check("read:0:room ~room ~room room @all suspend room @all resume", "~1@0 ~2@0 1 2", "");
    // Only who may hear it; once, though he holds several of its topics.
    check("read:0:room ~hall ~hall,room ~attic", "~2@0", "");
    check("read:0:room,hall ~room,hall ~hall,room", "~1@0 ~2@0", "");
    check("read:0:room,hall ~room|hall ~hall|room", "~1@0 ~2@0", "");
    check("read:0:hall ~room|hall", "~1/1@0", "");
    check("read:0:room bob:read:0:room,hall ~room,hall ~hall room @all", "~1@0 b~1 b~2 1 b1", "");
    check("keys:lamp read:0:room,hall ~room#lamp,hall ~room#sofa ~room,hall#lamp", "~3@0", "");
    check(
        "keys:lamp read:0:room,hall ~room,hall#lamp ~hall|room#lamp room#lamp @all",
        "~1@0 ~2@0 1",
        "",
    );
    // Who it leaves out.
    check(
        "read:0:room,hall ~room^principal/ann ~room^principal/bob ~room^hall ~room^attic",
        "~2@0 ~4@0",
        "",
    );
    check("read:0:room +hall @all ~room^hall ~hall", "~2@1", "");
}

#[test]
fn what_passes_is_missed_by_who_is_not_there_yet() {
    // Pending for the first time, and ending.
    check("room @all ~room open:1:room ~room", "S1 ~2@1", "");
    check("read:0:room end ~room", "4408", "");
    // Of values, also pending again, behind, and where the cursor would lead back to before what it knows.
    check("read:0:room suspend ~room#a resume ~room#a", "~2@0", "");
    check_narrow(
        "take:0 room room room room room @all read:5:room:0 ~room#a drain ~room#a",
        "1 2 3 4 5 ~2@5",
        "",
    );
    check("room room room open:3:room ~room#a @2 ~room#a @3 ~room#a", "S3 ~3@3", "");
    // Nobody reads it again.
    check("read:0:room ~room bob:open:0:room:0 room @all", "~1@0 bS0 1 b1", "");
}

#[test]
fn what_passes_meanwhile_is_told_late() {
    // At the place where the session is live, of each key the newest.
    check("read:0:room suspend ~room resume ~room", "~1@0 ~2@0", "");
    check("read:0:room suspend ~room room @all ~room resume room @all", "1 ~2@1 2", "");
    check("read:0:room suspend ~room%a ~room%b room @1 ~room%a read:1:room:0", "1 ~2@1 ~3@1", "");
    check("read:0:room suspend ~room open:0:room suspend ~room%a resume", "S0 ~1@0 ~2@0", "");
    check_forgetful("read:0:room suspend room ~room room @all resume", "1 2 ~1@2", "");
    check_narrow(
        "take:0 room room room room room @all read:5:room:0 ~room drain ~room",
        "1 2 3 4 5 ~1@5 ~2@5",
        "",
    );
    // Its place is after that of what passes.
    check("room room room open:3:room ~room @2 ~room @3 ~room", "S3 ~1@3 ~2@3 ~3@3", "");
    check("room room open:2:room:0 ~room @all ~room", "S2 1 2 ~1@2 ~2@2", "");
    // Who may hear it then and now, by the same right.
    check("read:0:hall suspend ~room read:0:room", "", "");
    check("read:0:room suspend ~room read:0:hall", "", "");
    for returns in ["read:1:", "read:2:room", "read:2:room:0"] {
        check(&format!("read:0:room suspend ~room -room +room @all {returns} ~room"), "~2@2", "");
    }
    let reread = "read:0:room suspend ~room -room +room @all resume read:2:room ~room";
    check(reread, "~2@2", "catchup:0");
    check("room +room room open:3:room:0 ~room @2 ~room @3", "S3 3 ~2@3", "");
    let less = "read:0:room,hall suspend ~room|hall ~hall,room%a -room @all";
    check(&format!("{less} resume read:1:hall"), "~1/1@1 ~2@1", "catchup:0");
    check("read:0:room,hall suspend ~room^hall ~room^principal/ann ~room%a resume", "~3@0", "");
    check("keys:lamp read:0:room suspend ~room%lamp ~room%sofa resume", "~1@0", "");
    check("read:0:room suspend ~room ! @all resume", "", "revoked");
    for (returns, needs) in [("resume read:1:room", "catchup:0"), ("read:1:room", "")] {
        let narrowed = |key| format!("read:0:room suspend ~room%a <room#{key} @all {returns}");
        check(&narrowed("a"), "", needs);
        check(&narrowed("b"), "~1@1", needs);
    }
    // Another on the line hears it at once.
    check("read:0:room bob:read:0:room suspend ~room leave bob:read:0:room ~room", "b~1 b~2", "");
    check("read:0:room bob:read:0:room suspend ~room resume", "b~1 ~1@0", "");
    // So many are kept.
    let told = |first: usize| {
        (first..=PASSED_MAX + 1).map(|n| format!("~{n}@0")).collect::<Vec<_>>().join(" ")
    };
    let many: String = (0..=PASSED_MAX).map(|n| format!("~room%{n} ")).collect();
    check(&format!("read:0:room suspend {many} resume"), &told(2), "");
    check(&format!("read:0:room {many}"), &told(1), "");
}

#[test]
fn what_passes_and_waits_goes_with_the_right_to_it() {
    let slow = "read:0:room take:0";
    check(&format!("{slow} ~room -room @all drain"), "", "");
    check(&format!("{slow} ~room -hall @all drain"), "~1@0", "");
    check(&format!("{slow} ~room ! @all end drain"), "4408", "revoked");
    check("read:0:room,hall take:0 ~room ~hall ~room,hall -room @all drain", "~2@0 ~3@0", "");
    check("read:0:room,hall take:0 ~room|hall -room @all drain", "~1/1@0", "");
    // In the very tick, and one that is partly out.
    check("read:0:room take:9 ~room ~room -room @all drain", "~1@0", "");
    // The right comes back: not for what was before.
    check(&format!("{slow} ~room -room +room @all ~room drain"), "~2@2", "");
    // A right that began with the row before it covers it, in the queue too.
    check("read:0: +room @all ~room", "~1@1", "");
    check("read:0:hall take:0 +room @all ~room -hall @all drain", "~1@1", "");
    check("keys:lamp read:0: +room @all ~room#lamp", "~1@1", "");
    // A read ahead of the hub, which saw the right go and come.
    check("take:0 -room +room read:2:room ~room @all ~room drain", "~2@2", "");
    check(&format!("{slow} ~room suspend -room +room read:2:room @all drain"), "", "");
    // Less is told on its topic, from before or from after it.
    check(&format!("{slow} ~room#lamp <room#lamp @all ~room#lamp drain"), "~2@1", "");
    check(&format!("{slow} ~room <room @all drain"), "", "");
}

#[test]
fn what_passes_is_coalesced_by_itself() {
    let plain = |script: &str, told, needs| {
        check_with(House::new(Shape::Plain, 100, 400), script, told, needs);
    };
    let many = "~room#lamp ".repeat(12);
    plain(&format!("read:0:room take:0 {many} drain"), "~12", "");
    plain(&format!("read:0:room take:5 {many} drain"), "~1 ~12", "");
    plain("read:0:room take:0 ~room#a ~room#b ~room#a drain", "~2 ~3", "");
    plain(&format!("read:0:room take:0 {}", "~room ".repeat(20)), "", "slow");
    // A value of the log stays: it may be the newest of its kind.
    plain(
        "read:0:room take:0 room#a @1 ~room#a ~room#a room#b @all ~room#b drain",
        "1 ~2 2 ~3",
        "",
    );
    // With a cursor nothing is left out.
    check_narrow(&format!("read:0:room take:0 {many} end drain"), "4408", "slow");
    check("read:0:room take:0 ~room#a ~room#a drain", "~1@0 ~2@0", "");
}

#[test]
fn what_passes_asks_for_nothing() {
    let known = |asks| told_as("e", asks);
    let frame = |asks, shape| {
        let speller = Arc::new(Speller::new("epoch", [known(asks)]));
        let entry = Passing::after(7, event("room", 1.into()), 0);
        entry.frame(&speller, shape)
    };
    let shapes = [Shape::Own, Shape::OwnCursor, Shape::RootAckCursor, Shape::OwnAck];
    for shape in shapes {
        assert_eq!(frame(true, shape), frame(false, shape), "{shape:?}");
    }
}
