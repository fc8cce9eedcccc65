//! Rooms that sessions are put out of, and that go on elsewhere.

use super::script::check;

#[test]
fn who_is_put_out_of_a_room_is_told_that_and_nothing_more() {
    let put_out = "room,seat;-room room";
    check(&format!("read:0:room,seat room @1 {put_out} @all"), "1 2", "");
    // What waits from before is dropped, and who has a cursor comes back; the last word is not.
    check(&format!("read:0:room,seat take:0 room {put_out} @all drain"), "", "slow");
    check(&format!("read:0:room,seat take:0 {put_out} @all drain"), "1", "");
    check(
        &format!("read:0:room,seat room {put_out} @1 suspend @all resume read:3:seat:1"),
        "1 2",
        "catchup:1",
    );
    check(&format!("room {put_out} @all open:1:room,seat open:3:seat:1"), "S3 2", "reread");
    // Who is not in that room, or is somebody else in it.
    check(&format!("read:0:hall {put_out} @all"), "", "");
    check(
        "read:0:room bob:read:0:room,seat room @1 bob:room,seat;-room room @all",
        "1 b1 2 b2 3",
        "",
    );
}

#[test]
fn a_room_goes_on_under_another_topic() {
    check("read:0:room hall room >room>hall hall @all", "2 4", "");
    check("read:0:hall >room>hall hall @all", "2", "");
    check("read:0:seat >room>hall hall @all", "", "");
    // Who is there already hears nothing twice.
    check("read:0:room,hall >room>hall hall @all -hall hall @all", "2", "");
    // Behind, pending, and read before and after it.
    check("read:0:room suspend hall >room>hall hall @all resume", "3", "");
    check("hall >room>hall hall @all open:1:room room @all", "S1 3 4", "");
    check("hall >room>hall hall @1 open:2:room,hall @all", "S2 3", "");
    check("hall >room>hall -hall hall @all open:1:room open:4:room", "S4", "reread");
    // It is somebody's: another in the same room is not moved.
    check("read:0:room bob:read:0:room bob:>room>hall hall @all", "b2", "");
}
