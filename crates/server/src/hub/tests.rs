//! The races of going live, one by one, as rows of data: what happens is a script ([`script`]).

mod hoards;
mod own;
mod passing;
mod regained;
mod rooms;
mod script;

use script::{House, check, check_forgetful, check_narrow, check_with};

use super::*;
use crate::simulation::chance::Chance;

#[test]
fn rows_between_read_and_opening_are_told_once() {
    // The hub is where the read was, ahead of it, behind it.
    check("room @all open:1:room room @all", "S1 2", "");
    check("room room room @all open:1:room room @all", "S1 2 3 4", "");
    check("room room @1 open:2:room @2 room @3", "S2 3", "");
    check("room room room open:2:room @all", "S2 3", "");
    // With a replay.
    check("room hall room @all open:3:room:0 room @all", "S3 1 3 4", "");
    check("room room room @all open:2:room:1 room @all", "S2 2 3 4", "");
    check("room room room open:2:room:0 @all", "S2 1 2 3", "");
}

#[test]
fn an_eviction_in_between_cancels_what_was_read() {
    check("room @all -room room @all open:1:room", "", "reread");
    check("room @all -room room @all open:1:room open:3:", "S3", "reread");
    check(
        "room @all -room +room room @all open:1:room open:4:room:1 room @all",
        "S4 4 5",
        "reread",
    );
    // One that the session did not hold, or that is somebody else's business, does not.
    check("room @all -hall room @all open:1:room", "S1 3", "");
    // One that the read already saw: what it found stands.
    check("room -room room @1 open:3: @all room @all", "S3", "");
    check("room -room room @all open:3: room @all", "S3", "");
}

#[test]
fn a_grant_in_between_is_taken_in_at_its_row() {
    check("hall @all room +room room @all open:1:hall room @all", "S1 4 5", "");
    check("hall room +room room @1 open:1:hall @all room @all", "S1 4 5", "");
    // The read saw it.
    check("hall room +room room open:3:hall,room @all room @all", "S3 4 5", "");
    check("hall room +room room open:4:hall,room:0 @all", "S4 1 4", "");
    // Granted, and evicted again.
    check("hall @all +room room -room room hall @all open:1:hall open:6:hall", "S6", "reread");
    check("hall +room room -room room hall @1 open:1:hall @3 @all", "S1 3 6", "");
    check(
        "hall +room room -room +room room @all open:1:hall open:6:hall,room room @all",
        "S6 7",
        "reread",
    );
}

#[test]
fn a_read_ahead_of_the_hub_is_not_undone_by_what_it_saw() {
    // Live: the right went and came back before the read, after the hub's place.
    check("-room +room room open:3:room @all room @all", "S3 4", "");
    // What was replayed still waits when the hub gets to the eviction.
    check("take:0 -room +room room read:3:room:2 @all drain room @all", "3 4", "");
    // Pending again when it gets there.
    check("-room +room room open:3:room suspend @all resume room @all", "S3 4", "");
    // What waits from before the eviction goes, and with it who would miss it.
    check("read:0:room take:0 room @1 suspend -room +room room read:4:room @all drain", "", "slow");
    check("read:0:room take:0 room @1 suspend -room room read:3: @all drain", "", "slow");
    // So does what waits for the sake of one topic, when another is granted instead.
    check(
        "read:0:room take:0 room,hall @1 suspend +hall -room hall read:4:hall @all drain hall @all",
        "",
        "slow",
    );
}

#[test]
fn what_waits_is_not_told_when_less_is_told_on_its_topic() {
    let slow = "read:0:room,hall take:0";
    check(&format!("{slow} room room#lamp <room @all room @all drain"), "", "slow");
    check(&format!("{slow} room room#lamp <room#lamp room#lamp @all drain"), "", "slow");
    check(&format!("{slow} room room#lamp <room#sofa @all drain"), "1 2", "");
    // Another right to it, and another topic.
    check(&format!("{slow} room,hall hall <room @all drain"), "1 2", "");
    // Who is behind, or is looked up meanwhile.
    check_narrow(
        "take:0 room room room room#lamp <room#lamp read:4:room:0 @all read:5:room drain",
        "1 2 3",
        "catchup:3",
    );
    check_narrow("take:0 room room room room <room room read:4:room:0 @all drain", "", "slow");
    check("read:0:room suspend room#lamp room <room#lamp @all resume", "", "catchup:0");
    // One that was granted ahead of who is behind, or is looked up.
    check("read:0:room suspend +hall hall <hall @all resume", "", "catchup:0");
    check("read:0:room suspend +seat hall <hall @all resume room @all", "4", "");
    check_narrow(
        "take:0 room room room room room @all read:5:room:0 +hall hall <hall @all drain",
        "1 2 3",
        "catchup:3",
    );
    // A read from before it.
    check("room <room @all open:1:room", "", "reread");
    check("room <room @all open:1:room open:2:room room @all", "S2 3", "reread");
    check("room <room @all open:1:hall", "S1", "");
    // An answer that waits may show it.
    check(&format!("{slow} answer:A <room @all end drain"), "4408", "slow");
    check(&format!("{slow} bob:read:0:hall bob:answer:A <room @all drain"), "bA", "");
    // Who keeps up has heard it.
    check("read:0:room room @1 <room @all room @all", "1 3", "");
    check("read:0:room room <room room @all", "1 3", "");
}

#[test]
fn a_revocation_ends_it_wherever_it_is() {
    check("room @all ! room @all open:1:room", "", "revoked");
    check("read:0:room room @1 ! room @all", "1", "revoked");
    check("read:0:room room ! room @all", "", "revoked");
    check("read:0:room take:0 room @1 ! @all drain", "", "revoked");
    check("read:0:room suspend room ! room @all read:3:room", "", "revoked");
    check_narrow("take:0 room room room room room read:5:room:0 ! @all drain", "", "revoked");
}

#[test]
fn sessions_on_one_line_hear_by_their_own_rights() {
    // One row, both, each once; a row for one of them.
    check("read:0:room bob:read:0:room room @all", "1 b1", "");
    check("read:0:room bob:read:0:hall room hall room,hall @all", "1 b2 3 b3", "");
    // One goes live while the other is pending, and the order of each is its own.
    check("read:0:room bob:suspend room room @all bob:open:1:room", "1 2 bS1 b2", "");
    // One loses a right, or is revoked, while the socket takes nothing: the other's frames stay.
    let both = "take:0 read:0:room bob:read:0:room room @all";
    check(&format!("{both} bob:-room @all drain"), "1", "");
    check(&format!("{both} -room @all drain"), "", "slow");
    check(&format!("{both} answer:A bob:answer:A bob:! @all drain room @all"), "1 A 3", "revoked");
    check(&format!("{both} answer:A bob:answer:A ! @all drain room @all"), "b1 bA b3", "revoked");
    // One leaves: what waits for it goes with it, but for the rest of a frame.
    check(&format!("{both} bob:answer:A bob:leave drain room @all"), "1 2", "");
    check(&format!("{both} answer:A leave drain room @all"), "b1 b2", "");
    let torn = "read:0:room bob:read:0:room take:5 answer:A bob:answer:A";
    check(&format!("{torn} leave drain room @all"), "A bA b1", "");
    // What is said to the line itself is nobody's to lose.
    check(&format!("{both} pong bob:leave leave room @all drain end"), "4408", "");
}

/// A read that goes on from there misses nothing, and an answer that says it promises nothing.
#[test]
fn what_waits_to_be_told_is_not_told_yet() {
    let check = |script: &str, upto: Offset| {
        let mut house = House::new(Shape::PlainCursor, 100, 400);
        script.split_whitespace().for_each(|word| house.step(word));
        assert_eq!(house.hub.told_upto(house.id), upto, "{script}");
    };
    let rows = "room ".repeat(20);
    check(&format!("{rows} @all read:20:room"), 20);
    check(&format!("{rows} @all read:20:room:0"), 20);
    // Three are fed.
    check(&format!("{rows} @all take:0 read:20:room:0"), 3);
    check(&format!("{rows} @all take:0 read:20:room:0 suspend"), 3);
    check(&format!("{rows} take:0 read:20:room:0 @all"), 3);
    check(&format!("{rows} @all take:0 read:20:room:5"), 8);
    check(&format!("{rows} @all take:0 read:20:room:0 drain"), 20);
    check("hall hall @all read:2:room hall @all", 3);
}

#[test]
fn a_session_without_a_cursor_is_coalesced_beside_one_with() {
    let rows = "room#lamp room#lamp room#lamp @all";
    let both = "take:0 read:0:room bob:read:0:room";
    check(&format!("{both} room @all {rows} drain"), "1 b1 2 3 4 b4", "");
    check(&format!("{both} room @all {rows} bob:leave drain"), "1 2 3 4", "");
}

/// Who listens to parts of a service may hear them as long as it may hear any of it: rights to other topics decide,
/// and only a read knows.
#[test]
fn rights_to_a_service_are_rights_to_its_parts() {
    // Parts are listed as topics are.
    check("parts:room read:0:room room hall @all", "1", "");
    check("more:hall read:0:room,hall room hall room,hall @all", "1 2 3", "");
    // Another right begins: of use to who hears nothing yet, or everything else besides.
    check(
        "parts:room read:0: room @all +house room @all read:3:room:2 room @all",
        "3 4",
        "catchup:2",
    );
    check("parts:room read:0:room room @all +house room @all", "1 3", "");
    check(
        "more:room read:0:room +house @all room @all read:2:room,house:1 house @all",
        "2 3",
        "catchup:1",
    );
    // One ends: what was heard so far was right.
    check(
        "parts:room read:0:room room @all -house room @all read:3:room:2 room @all",
        "1 3 4",
        "catchup:2",
    );
    check("parts:room read:0:room room @all -house room @all read:3: room @all", "1", "catchup:2");
    // What waits may be what is not to be heard: it cannot be dropped alone.
    check("parts:room read:0:room take:0 room @all -house @all drain", "", "slow");
    let blind = || House::new(Shape::Plain, 100, 1 << 20);
    check_with(blind(), "parts:room read:0:room take:0 room @all -house @all drain", "", "slow");
    // It ends while a read is under way that has not seen it; one that has stands.
    check("room @all -house @all parts:room open:1:room open:2:room", "S2", "reread");
    check("-house room parts:room open:1:room @all", "S1 2", "");
    check("parts:room read:0:room suspend -house @all resume", "", "catchup:0");
    check("parts:room read:0:room suspend -house @all read:1:room room @all", "2", "");
    // A right that comes to a session which is behind.
    check("parts:room +house room read:0: @all read:2:room:1 room @all", "2 3", "catchup:1");
    let behind = "parts:room room room room room room take:0 read:5:room:0";
    check_narrow(&format!("{behind} -house @all read:6:room:2 drain"), "", "slow");
}

#[test]
fn a_line_that_may_lose_frames_stays() {
    let check = |script: &str, told: &str, needs: &str, shed: u64| {
        let mut house = House::new(Shape::Plain, 100, 200);
        script.split_whitespace().for_each(|word| house.step(word));
        assert_eq!((house.told.join(" "), house.needs.join(" ")), (told.into(), needs.into()));
        assert_eq!(house.hub.take_shed(), shed, "{script}");
    };
    let each = (1..=10).map(|number| format!("room#k{number} "));
    let rows = each.chain(["@all".to_owned()]).collect::<String>();
    // It has room for some of them.
    check(&format!("read:0:room take:0 {rows} drain end"), "4408", "slow", 0);
    check(&format!("lossy read:0:room {rows} wait:60000 end"), "1 2 3 4 5 6 7 8 9 10 4408", "", 0);
    check(
        &format!("lossy read:0:room take:0 {rows} wait:60000 drain room @all end"),
        "5 6 7 8 9 10 11 4408",
        "",
        4,
    );
    check(&format!("lossy read:0:room take:3 {rows} drain end"), "1 6 7 8 9 10 4408", "", 4);
    // Where each counts it ends as others do.
    let each = "room room room room room room room room room room @all";
    check(&format!("lossy read:0:room take:0 {each} drain end"), "4408", "slow", 0);
    // Its newest values are all that waits.
    let lamps = "room#lamp room#lamp room#sofa room#lamp room#sofa room#lamp room#lamp @all";
    check(&format!("lossy read:0:room take:0 {lamps} wait:60000 drain end"), "5 7 4408", "", 0);
    // A session that is behind does not wait for the socket either.
    check(
        &format!("lossy {rows} take:0 read:10:room:0 room @all drain end"),
        "5 6 7 8 9 10 11 4408",
        "",
        4,
    );
    // Rights count as ever.
    check("lossy read:0:room,hall take:0 room hall @all -room @all drain end", "2 4408", "", 0);
    check("lossy read:0:room take:0 room answer:A @all -room @all drain", "", "slow", 0);
    check("lossy read:0:room take:0 room @all ! @all drain end", "4408", "revoked", 0);
}

#[test]
fn a_revocation_reaches_answers_that_wait() {
    let many = "answer:A ".repeat(500);
    check(&format!("read:0:room take:0 {many} ! @all end drain"), "4408", "revoked");
    check("read:0:room take:0 pong room answer:A @1 ! @all end drain", "4408", "revoked");
    check("take:0 open:0:room ! @all end drain", "4408", "revoked");
    // Half of one is out: the rest follows, and nothing else.
    check("read:0:room take:5 answer:A answer:B ! @all end drain", "A 4408", "revoked");
    // One that comes too late is not said.
    check("read:0:room ! @all answer:A end answer:B", "4408", "revoked");
    // It ends already, for another reason: that is all that it hears.
    check("read:0:room take:0 answer:A end ! @all drain", "4408", "");
    check("read:0:room take:5 answer:A answer:B end ! @all drain", "A 4408", "");
    check("read:0:room take:0 answer:A end take:20 drain ! @all", "A 4408", "");
}

#[test]
fn a_subscription_takes_the_place_of_what_was_before() {
    check("read:0:room,hall room @all suspend room room keys:lamp open:3:room @all", "1 S3", "");
    check("read:0:room suspend keys:lamp open:0:room room#lamp hall#lamp room @all", "S0 1", "");
    // While behind: what was fed stays, the snapshot stands for the rest.
    check_narrow(
        "take:0 room room room room room @all read:5:room:0 suspend open:5:room room @all drain",
        "1 2 3 S5 6",
        "",
    );
    // The read comes back late: rows after its place follow.
    check("read:0:room suspend room room @all open:1:room", "S1 2", "");
}

#[test]
fn a_refused_subscription_leaves_no_gap() {
    check("read:0:room suspend room room @all resume room @all", "1 2 3", "");
    check("room read:1:room suspend room @all resume room @all", "2 3", "");
    check(
        "read:0:room suspend +hall hall -hall hall @all resume read:4:room hall +hall hall @all",
        "7",
        "catchup:0",
    );
    check_narrow(
        "take:0 room room room room room @all read:5:room:0 suspend room @all resume drain",
        "1 2 3 4 5 6",
        "",
    );
    // An eviction meanwhile.
    check("read:0:room suspend room -room room @all resume room @all", "", "catchup:0");
    check("read:0:room take:0 room @1 suspend -room @all resume drain", "", "slow");
    check("read:0:room suspend room -room +room room @all resume read:4:room:3", "4", "catchup:0");
}

#[test]
fn what_is_no_longer_in_memory_is_read_again() {
    check_forgetful("room room room room @all open:1:room", "", "reread");
    check_forgetful("room room room room @all open:2:room", "S2 3 4", "");
    check_forgetful("read:0:room suspend room room @all resume", "1 2", "");
    check_forgetful("read:0:room suspend room room room @all resume", "", "catchup:0");
    check_forgetful(
        "read:0:room suspend room room room @all resume read:3:room:0 room @all",
        "1 2 3 4",
        "catchup:0",
    );
    // While the catch-up is read, time goes on.
    check_forgetful(
        "read:0:room suspend room room room @all resume room room @all read:3:room:0",
        "1 2 3 4 5",
        "catchup:0",
    );
    check_forgetful(
        "read:0:room suspend room room room @all resume room room room @all read:3:room:0",
        "",
        "catchup:0 reread",
    );
}

#[test]
fn an_eviction_reaches_what_waits() {
    check("read:0:room take:0 room hall @all -room @all drain", "", "slow");
    check("read:0:room,hall take:0 room hall @all -room @all drain", "", "slow");
    check("read:0:room,hall take:0 room,hall @all -room @all drain", "1", "");
    // Half of a frame is out: the rest follows, and nothing else.
    check("read:0:room take:5 room @all -room @all drain", "1", "");
    check("read:0:room take:5 room room @all -room @all drain", "1", "slow");
    // What passes is missed by nobody.
    check("read:0:room take:0 ~room -room @all drain", "", "");
    check("read:0:room take:5 room room @2 ! @all end drain", "1 4408", "revoked");
    // In the very tick it was told before. What its own row tells is not.
    check("read:0:room room -room room @all", "1", "");
    check("read:0:room room -room +room room @all", "1 4", "");
    check("read:0:room room room;-room room @all", "1", "");
    // Rows that a session behind has not got to.
    check_narrow("take:0 room room room room room @all read:5:room:0 -room @all drain", "", "slow");
    check_narrow(
        "take:0 hall hall hall room room @all read:5:room,hall:0 -room hall @all read:7:hall:6 drain",
        "1 2 3 7",
        "catchup:3",
    );
    // A snapshot cannot be told in part.
    check("take:0 open:0:room -room @all end drain", "4408", "slow");
    check("take:5 open:0:room -room @all drain", "S0", "");
    // Nor an answer; a pong is.
    check("read:0:room take:0 answer:A -room @all end drain", "4408", "slow");
    check("read:0:room take:5 answer:A answer:B -room @all end drain", "A 4408", "slow");
    check("read:0:room take:5 answer:A -room @all drain", "A", "");
    check("read:0:room take:0 pong -room +room room @all drain", "3", "");
}

#[test]
fn the_slow_are_cut_off_or_coalesced() {
    let many = "room#lamp ".repeat(12);
    // With a cursor nothing is left out: closed, but for the rest of a frame.
    check_narrow(&format!("read:0:room take:0 {many} @all end drain"), "4408", "slow");
    check_narrow(&format!("read:0:room take:5 {many} @all end drain"), "1 4408", "slow");
    // Without one the newest value is enough.
    let plain = |script: &str, told, needs| {
        check_with(House::new(Shape::Plain, 100, 400), script, told, needs);
    };
    plain(&format!("read:0:room take:0 {many} @all drain"), "12", "");
    plain(&format!("read:0:room take:5 {many} @all drain"), "1 12", "");
    plain("read:0:room take:0 room#a room#b room#a room room#b @all drain", "3 4 5", "");
    // Unless each event counts.
    plain(&format!("read:0:room take:0 {} @all", "room ".repeat(20)), "", "slow");
}

#[test]
fn the_stalled_are_cut_off_after_ten_seconds() {
    check("read:0:room take:0 room @all wait:9999", "", "");
    check("read:0:room take:0 room @all wait:9999 wait:1", "", "slow");
    check("read:0:room take:0 room @all wait:9999 wait:1 wait:9999", "", "slow");
    // A byte now and then is life; nothing waiting is none.
    check("read:0:room take:0 room @all wait:9999 take:1 room @all wait:9999", "", "");
    check("read:0:room wait:99999 room @all", "1", "");
}

#[test]
fn each_event_is_told_once_in_the_first_variant_that_matches() {
    check("read:0:room,hall room,hall hall,room @all", "1 2", "");
    check("read:0:room,hall room|hall hall|room @all", "1 2", "");
    check("read:0:hall room|hall hall|room room @all", "1/1 2", "");
    check("room|hall hall|room room open:3:hall:0", "S3 1/1 2", "");
    check("read:0:room,hall keys:lamp suspend read:0:room,hall room,hall#lamp @all", "1", "");
    check("keys:lamp read:0:hall room|hall#lamp room|hall#sofa @all", "1/1", "");
    // Another variant is still his when the right to the first ends before it is out.
    check("read:0:room,hall take:0 room|hall @all -room @all drain", "1/1", "");
    check("read:0:room,hall take:5 room|hall @all -room @all drain", "1", "");
    check("read:0:room,hall room|hall -room @all", "1", "");
}

#[test]
fn exceptions_are_of_those_who_were_meant() {
    check("read:0:room room^principal/ann room^principal/bob @all", "2", "");
    check("read:0:room,hall room^hall room^attic @all", "2", "");
    check("read:0:room room^hall +hall room^hall -hall room^hall @all", "1 5", "");
    check("room^principal/ann room^hall room open:3:room:0", "S3 2 3", "");
    // On a replay too: whether he held it then, not whether he does now.
    check("room^hall +hall room^hall open:3:room,hall:0", "S3 1", "");
    check("keys:lamp read:0:room,hall room#lamp^hall room#lamp @all", "2", "");
}

#[test]
fn coalescing_keeps_a_part_of_the_log_and_its_newest_values() {
    for seed in 0..200 {
        let mut chance = Chance::new(seed);
        let mut house = House::new(Shape::Plain, 1_000, 1 << 20);
        let mut newest = HashMap::new();
        house.step("read:0:room");
        for offset in 1..=40 {
            let key = *chance.pick(&["a", "b", "c", ""]);
            let word = if key.is_empty() { "room".to_owned() } else { format!("room#{key}") };
            house.step(&word);
            newest.insert(if key.is_empty() { offset.to_string() } else { key.to_owned() }, offset);
            if chance.one_in(3) {
                house.step(&format!("take:{}", chance.below(90)));
                house.step("@all");
                house.hub.writable(house.line, 0);
                house.receive();
            }
        }
        house.step("@all");
        house.step("drain");
        let told: Vec<Offset> = house.told.iter().map(|told| told.parse().unwrap()).collect();
        assert!(told.is_sorted_by(|a, b| a < b), "seed {seed}: {told:?}");
        for offset in newest.values() {
            assert!(told.contains(offset), "seed {seed}: {offset} is not in {told:?}");
        }
        assert_eq!(house.needs.join(" "), "", "seed {seed}");
    }
}

/// Holds back what it has to say by itself until there is room.
#[derive(Debug, Default)]
struct Holding {
    held: usize,
    has_room: bool,
}

impl Write for Holding {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        panic!("nothing is sent")
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.held -= if self.has_room { self.held } else { 0 };
        if self.held > 0 { Err(std::io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

#[test]
fn what_a_sink_says_by_itself_gets_out() {
    let speller = Arc::new(Speller::new("epoch", []));
    let mut hub = Hub::new(Arc::new(Recent::new(0, 1, 1)), speller, Arc::default(), 1 << 20);
    let id = hub.line(Holding { held: 7, has_room: false });
    assert!(hub.is_flushed(id));
    hub.writable(id, 0);
    assert!(!hub.is_flushed(id), "it is known to wait");
    hub.sink(id).expect("it is in").has_room = true;
    hub.writable(id, 0);
    assert!(hub.is_flushed(id));
    assert_eq!(hub.sink(id).expect("it is in").held, 0);
    assert_eq!(hub.take_needs(), []);
}
