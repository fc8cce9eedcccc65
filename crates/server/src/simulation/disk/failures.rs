//! A write fails, or a sync: the first, the second, and so on, until there is none left to fail.

use bellwire_store::sqlite::Fatal;

use super::{
    content::{Album, Content},
    house::{Base, Defect, House},
    vfs::Kind,
    work::{Round, Step, call, script},
};

/// The script: all services, checkpoints between, and as few writes as that takes, for each of them fails once.
const SEED: u64 = 3;
/// Steps of it.
const STEPS: usize = 8;

/// A run that nothing fails in: what there is before each step and behind the last.
struct Plan {
    steps: Vec<Step>,
    contents: Vec<Content>,
}

impl Plan {
    fn new() -> Plan {
        let steps = script(Base::get(), SEED, STEPS);
        let mut house = House::new(0, 1_024, Defect::default());
        let mut contents = vec![house.content()];
        for step in &steps {
            take(&mut house, step).expect("a sound disk");
            contents.push(house.content());
        }
        Plan { steps, contents }
    }

    /// What there may be when so many steps were acknowledged, and the next came to nothing.
    fn may_be(&self, acknowledged: usize) -> &[Content] {
        &self.contents[acknowledged..acknowledged + 2]
    }
}

fn take(house: &mut House, step: &Step) -> Result<(), Fatal> {
    match step {
        Step::Checkpoint => house.writer().checkpoint().map(drop),
        Step::Batch(round) => house.commit(round).map(drop),
    }
}

/// One more thing to do.
fn more() -> Round {
    let notice = serde_json::json!({ "to": "all", "title": "Again", "message": "It runs again." });
    let jobs = vec![call(&Base::get().operator, "notifications.send", notice)];
    Round { jobs, now: super::house::BEGINNING + 86_400 * super::house::SECOND, seed: 99 }
}

/// The nth call of this kind fails; says whether there was one.
fn check(plan: &Plan, album: &mut Album, kind: Kind, n: u64) -> bool {
    let mut house = House::new(n, 1_024, Defect::default());
    house.disk.fail_at(kind, n);
    let mut steps = plan.steps.iter();
    let fatal = steps.find_map(|step| take(&mut house, step).err());
    let Some(fatal) = fatal else {
        assert!(!house.disk.has_failed(), "{kind:?} {n} failed, and nobody said so");
        return false;
    };
    let acknowledged = plan.steps.len() - steps.len() - 1;

    // Nothing more is done, by whomever it is asked for.
    let ops = house.disk.ops();
    assert_eq!(house.commit(&more()).map(drop), Err(fatal.clone()));
    assert_eq!(house.writer().checkpoint().map(drop), Err(fatal));
    house.end();
    assert_eq!(house.disk.ops(), ops, "{kind:?} {n}: it tried again");
    let marker = house.folder.path().join("db.needs-check");
    assert!(marker.exists(), "{kind:?} {n}: the next start would not check");

    let left = album.look(&house.disk.photo()).expect("what is left is sound");
    let apart = left.apart(&plan.contents[acknowledged]);
    assert!(
        plan.may_be(acknowledged).contains(&left),
        "{kind:?} {n}, step {acknowledged}: without power there is something else in {apart:?}"
    );

    // With power, the next start goes on with what can be read, and the disk has what is acknowledged from then on.
    house.begin();
    assert!(!marker.exists(), "it was checked");
    assert!(plan.may_be(acknowledged).contains(&house.content()), "{kind:?} {n}");
    let batch = house.commit(&more()).expect("a sound disk");
    assert!(batch.answers[0].result.is_ok(), "{kind:?} {n}: writing does not go on");
    let there = house.content();
    if kind == Kind::Sync || n.is_multiple_of(8) {
        let left = album.look(&house.disk.photo()).expect("what is left is sound");
        assert!(left == there, "{kind:?} {n}: {:?} are lost behind it", there.apart(&left));
    }
    true
}

/// All of them, from the first on; with two tests for one kind, each takes every other.
fn check_all(kind: Kind, first: u64, step: usize, least: u64) {
    let (plan, mut album) = (Plan::new(), Album::default());
    let last = (first..).step_by(step).take_while(|n| check(&plan, &mut album, kind, *n)).last();
    assert!(last.is_some_and(|last| last > least), "the script is too short: {last:?}");
}

#[test]
fn each_sync_fails_once() {
    check_all(Kind::Sync, 1, 1, 8);
}

#[test]
fn each_odd_write_fails_once() {
    check_all(Kind::Write, 1, 2, 100);
}

#[test]
fn each_even_write_fails_once() {
    check_all(Kind::Write, 2, 2, 100);
}
