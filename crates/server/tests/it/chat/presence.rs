//! Who is online: counted by connections, over losses, goodbyes and crashes.

use std::time::{Duration, Instant};

use super::{BOSS, Form, House, JANE, JOHN, Line, MIKE, NAMES, SARA, STRANGER, line::ROOT, online};
use crate::harness::Over;

/// Says that its user is here.
#[track_caller]
fn attends(line: &mut Line, user: usize) {
    line.does(
        "addOnlineUser",
        &format!(r#"{{"userID":"{user}","userUsername":"{}"}}"#, NAMES[user]),
    );
}

/// A connection of somebody who is here.
#[track_caller]
fn here(house: &House, user: usize, form: Form) -> Line {
    let mut line = house.line(user, form);
    attends(&mut line, user);
    line
}

/// Who is online, by what everybody may ask.
#[track_caller]
fn listed(house: &House) -> Vec<String> {
    let page = house.ask(BOSS, "GET", "/api/chat/online").expect(200);
    let items = page["items"].as_array().expect("a page has items").clone();
    items
        .iter()
        .map(|item| {
            let id: usize = item["userID"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            assert_eq!(item["username"], NAMES[id]);
            id.to_string()
        })
        .collect()
}

/// One who watches, from now on.
#[track_caller]
fn watcher(house: &House, form: Form) -> Line {
    let mut line = house.line(BOSS, form);
    line.told();
    line
}

#[test]
fn who_says_goodbye_is_gone_at_once() {
    // Nobody could wait that long.
    let house = House::with(&[("PRESENCE__GRACE", "9m")]);
    let mut watches = [watcher(&house, ROOT), watcher(&house, Form::Plain)];
    for form in Form::ALL {
        let tabs = [form, form.other(), form].map(|form| here(&house, JOHN, form));
        let hears = |watches: &mut [Line; 2], event: &str| {
            watches.iter_mut().for_each(|line| assert_eq!(line.event(), event, "{form:?}"));
        };
        hears(&mut watches, &online("Add", JOHN));
        assert_eq!(listed(&house), ["1"]);
        // A tab that is there and never said so does not keep anybody here.
        let _silent = house.line_in(JOHN, form, &["1:2"]);
        for (number, tab) in tabs.into_iter().enumerate() {
            assert_eq!(listed(&house), ["1"]);
            let more = watches[0].told();
            assert!(more.iter().all(|event| *event == online("Add", JOHN)), "{more:?}");
            watches[1].told();
            match (number, form) {
                (2, Form::Plain) => tab.closes(&[]),
                (2, ROOT) => tab.closes(&1000_u16.to_be_bytes()),
                _ => tab.says_goodbye(),
            }
        }
        hears(&mut watches, &online("Remove", JOHN));
        assert_eq!(listed(&house), [""; 0]);
        watches.iter_mut().for_each(|line| assert_eq!(line.told(), [""; 0]));
    }
}

#[test]
fn who_is_lost_may_come_back() {
    const GRACE: Duration = Duration::from_secs(1);
    let house = House::with(&[("PRESENCE__GRACE", "1s")]);
    let mut watches = watcher(&house, ROOT);
    for form in [ROOT, Form::Plain] {
        let john = [here(&house, JOHN, form), here(&house, JOHN, form.other())];
        let jane = here(&house, JANE, form);
        let sara = here(&house, SARA, form);
        let began = watches.events_upto(&online("Add", SARA));
        assert!(began.contains(&online("Add", JOHN)) && began.contains(&online("Add", JANE)));
        let lost = Instant::now();
        // A client of Socket.IO that takes its connection for lost closes it without a code.
        john.into_iter().filter(|tab| tab.form == ROOT).for_each(|tab| tab.closes(&[]));
        drop(jane);
        // The one comes back, the other does not; the third's tab is lost while another is there.
        let back = here(&house, JOHN, form.other());
        let third = here(&house, SARA, form.other());
        drop(sara);
        let mut told = watches.events_upto("Remove");
        let waited = lost.elapsed();
        assert!(waited >= GRACE && waited < 6 * GRACE, "{waited:?}");
        assert_eq!(told.pop(), Some(online("Remove", JANE)));
        assert!(told.iter().all(|event| event.contains("Add")), "{told:?}");
        assert_eq!(listed(&house), ["1", "3"]);
        // Both would be gone by now; that they are not shows as somebody else goes later.
        let mike = here(&house, MIKE, form);
        watches.events_upto(&online("Add", MIKE));
        drop(mike);
        let told = watches.events_upto("Remove");
        assert_eq!(told, [online("Remove", MIKE)]);
        back.says_goodbye();
        third.says_goodbye();
        let mut gone = [watches.event(), watches.event()];
        gone.sort();
        assert_eq!(gone, [online("Remove", JOHN), online("Remove", SARA)]);
        assert_eq!(watches.told(), [""; 0]);
    }
}

/// Nobody is waited for whose credential is no good any more; another of theirs goes on.
#[test]
fn who_is_put_out_is_gone_at_once() {
    let house = House::with(&[("PRESENCE__GRACE", "9m")]);
    let mut watches = watcher(&house, ROOT);
    for (user, form) in [(JANE, ROOT), (SARA, Form::Plain), (MIKE, Form::Chat(Over::Polling))] {
        let id = user.to_string();
        let other = house.server.token_of("user", &id, &[]);
        let mut tab = Line::open(&house.server, &other.text, form.other(), NAMES[user]);
        attends(&mut tab, user);
        let line = here(&house, user, form);
        watches.events_upto(&online("Add", user));
        house.ask(user, "POST", "/api/auth/logout").expect(204);
        line.put_out();
        assert_eq!(listed(&house), [&*id], "{form:?}");
        house.rules("DELETE", &format!("/api/users/{id}")).expect(204);
        watches.hears(&online("Remove", user));
        assert_eq!(listed(&house), [""; 0]);
    }
}

/// The server is killed: who comes back in the grace was never away; the others are gone after it, once.
#[test]
fn a_crash_takes_nobody_who_comes_back() {
    let house = House::with(&[("PRESENCE__GRACE", "2s")]);
    let lines = [JOHN, JANE, SARA, MIKE].map(|user| here(&house, user, ROOT));
    // Who said goodbye before is not waited for.
    let [_john, _jane, _sara, mike] = lines;
    let mut watches = watcher(&house, ROOT);
    mike.says_goodbye();
    watches.hears(&online("Remove", MIKE));
    let house = house.killed();
    let started = Instant::now();
    assert_eq!(listed(&house), ["1", "2", "3"]);
    let mut watches = [watcher(&house, Form::Plain), watcher(&house, ROOT)];
    let _john = here(&house, JOHN, Form::Plain);
    for line in &mut watches {
        let mut told = line.events_upto("Remove");
        told.push(line.event());
        let waited = started.elapsed();
        assert!(waited > Duration::from_millis(1_500), "{waited:?}");
        // That he is here again is told, or was less than a second ago.
        told.retain(|event| *event != online("Add", JOHN));
        told.sort();
        assert_eq!(told, [online("Remove", JANE), online("Remove", SARA)], "{}", line.name);
    }
    assert_eq!(listed(&house), ["1"]);
    // Once, also over a second crash.
    let house = house.killed();
    assert_eq!(listed(&house), ["1"]);
    let mut watches = watcher(&house, ROOT);
    assert_eq!(watches.event(), online("Remove", JOHN));
    assert_eq!((watches.told(), listed(&house)), (vec![], vec![]));
}

/// Who comes back into their rooms by the protocol's own recovery is here by that, after a loss and after a crash.
#[test]
fn who_recovers_is_here() {
    for form in [ROOT, Form::Chat(Over::Polling)] {
        let mut house = House::with(&[("PRESENCE__GRACE", "1s")]);
        let comes = |house: &House, before: Option<&Line>| {
            Line::recovered(&house.server, house.token(JOHN), form, NAMES[JOHN], before)
        };
        let mut john = comes(&house, None);
        attends(&mut john, JOHN);
        for is_crash in [false, true] {
            // Another, who does not come back, shows that the grace is over.
            let jane = here(&house, JANE, ROOT);
            john.told();
            john.cut();
            drop(jane);
            if is_crash {
                house = house.killed();
            }
            let mut watches = watcher(&house, Form::Plain);
            john = comes(&house, Some(&john));
            assert_eq!(watches.event(), online("Remove", JANE), "{form:?} {is_crash}");
            assert_eq!((watches.told(), listed(&house)), (vec![], vec!["1".to_owned()]));
        }
        // And by nothing else: once that is gone, he is.
        let mut watches = watcher(&house, ROOT);
        john.says_goodbye();
        watches.hears(&online("Remove", JOHN));
    }
}

/// Somebody who is told of as often as they say so: others are told once a second at most.
#[test]
fn who_says_so_often_is_told_once_a_second() {
    let house = House::new();
    let mut watches = watcher(&house, ROOT);
    let began = Instant::now();
    let mut lines = [here(&house, STRANGER, ROOT), here(&house, STRANGER, Form::Plain)];
    for _ in 0..200 {
        lines.iter_mut().for_each(|line| attends(line, STRANGER));
    }
    let told = watches.told();
    let most = began.elapsed().as_secs() as usize + 1;
    assert!((1..=most).contains(&told.len()), "{} in {:?}", told.len(), began.elapsed());
    assert!(told.iter().all(|event| *event == online("Add", STRANGER)), "{told:?}");
}
