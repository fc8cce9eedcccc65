//! What becomes of the row of a connection that ended.

use super::*;

#[test]
fn who_left_has_time_and_who_said_goodbye_has_none() {
    let house = House::new();
    let door = &house.core.door;
    let first = house.connected(house.newcomer());
    door.leave(pid(&first), "sid0".into());
    assert!(house.row(&pid(&first)).is_some_and(|row| row.left_at.is_some()));
    let second = house.connected(house.back(&first));
    assert_eq!((second.recovered, second.replaced.as_deref()), (true, None), "nobody has it");
    // What the first says late is of no account.
    door.leave(pid(&first), "sid0".into());
    door.forget(pid(&first), "sid0".into());
    assert!(house.row(&pid(&first)).is_some_and(|row| row.left_at.is_none()));
    door.forget(pid(&first), "sid1".into());
    assert_eq!(house.row(&pid(&first)), None);
    assert!(!house.connected(house.back(&first)).recovered);
}

#[test]
fn rows_go_once_the_log_may_have_let_go_of_what_they_missed() {
    let house = House::new();
    let [stays, left] = [(); 2].map(|()| house.connected(house.newcomer()));
    house.core.door.leave(pid(&left), "sid1".into());
    let tidy = |house: &House, time| {
        let log = Keep { time, ..Keep::default() };
        let mut place = Default::default();
        let kept = housekeeping::Kept {
            log,
            states: i64::MAX / 2,
            areas: i64::MAX / 2,
            notifications: i64::MAX / 2,
            bookings: i64::MAX / 2,
        };
        let run = housekeeping::tidy(&house.core.door, kept, &mut place);
        house.runtime.block_on(run).expect("it is tidied");
    };
    tidy(&house, Keep::default().time);
    assert!(house.row(&pid(&left)).is_some());
    tidy(&house, -1);
    assert_eq!(house.row(&pid(&left)), None);
    assert!(house.row(&pid(&stays)).is_some(), "it is connected");
    // Nobody is, after a start.
    let house = house.restarted();
    assert!(house.row(&pid(&stays)).is_some_and(|row| row.left_at.is_some()));
    tidy(&house, -1);
    assert_eq!(house.row(&pid(&stays)), None);
}

#[test]
fn many_leave_at_once_and_all_are_noted() {
    const COUNT: usize = 1_100;
    let house = House::new();
    let door = &house.core.door;
    let pids: Vec<String> = (0..COUNT).map(|_| new_pid()).collect();
    let made = pids.clone();
    house.maintain(move |tx| {
        made.iter().try_for_each(|pid| {
            let session = LiveSession {
                pid: pid.clone(),
                sid: "sid".into(),
                principal: "guest/127.0.0.1".into(),
                namespace: NAMESPACE.into(),
                rooms: Vec::new(),
                topics: Vec::new(),
                at: 0,
                left_at: None,
            };
            live_sessions::insert(tx, &session)
        })
    });
    let release = house.hold_writer();
    pids.iter().for_each(|pid| door.leave(pid.clone(), "sid".into()));
    assert!(door.store.write_queue_len() <= 3, "they do not fill the queue");
    drop(release);
    let connected = house.maintain(move |tx| {
        let rows: Result<Vec<_>, _> = pids.iter().map(|pid| live_sessions::find(tx, pid)).collect();
        Ok(rows?.into_iter().flatten().filter(|row| row.left_at.is_none()).count())
    });
    assert_eq!(connected, 0);
}

#[test]
fn a_parting_that_could_not_be_noted_is_noted_later() {
    let house = House::new();
    let door = &house.core.door;
    let first = house.connected(house.newcomer());
    door.partings.fail_once(pid(&first), "sid0".into());
    assert!(house.row(&pid(&first)).is_some_and(|row| row.left_at.is_none()));
    door.note_partings();
    assert!(house.row(&pid(&first)).is_some_and(|row| row.left_at.is_some()));
}

#[test]
fn a_row_that_nobody_waits_for_is_left() {
    let mut house = House::new();
    let first = house.connected(house.newcomer());
    house.set("light.a", "1");
    let offset = house.cursor(first.opened.opening.at);
    house = house.forgetful();
    let release = house.hold_writer();
    let told = house.start(Recoverable { offset, ..house.back(&first) });
    house.await_replays();
    // The connection ends between the read and the write.
    house.waiting = Arc::new(());
    drop(release);
    assert!(told.recv_timeout(DEADLINE).is_err(), "nobody is told");
    house.core.door.note_partings();
    let row = house.row(&pid(&first)).expect("it is there");
    assert_eq!((row.sid.as_str(), row.left_at.is_some()), ("sid1", true));
}
