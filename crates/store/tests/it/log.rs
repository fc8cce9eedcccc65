//! The log: replay that passes over blocks finds what a plain scan finds; pruning keeps what it
//! has to; cursors are judged.

use std::{cell::Cell, path::Path};

use bellwire_store::{
    change::{Effect, Logged, Offset, Outcome, Topic},
    log::{
        Cursor, Keep, Pruned, Reason, ReplayLimits, Replayed, Resume, Wanted, prune, replay, resume,
    },
    sqlite::{LogStats, Options, Reader, Writer},
    testing::{self, event},
    tx::ReadTx,
};
use proptest::prelude::*;

fn options(folder: &Path) -> Options {
    let mut options = Options::new(folder.join("db"), "epoch", 0);
    options.command_time_max = std::time::Duration::from_secs(60);
    options
}

/// A log of many blocks in which most topics are rare; returns what was published.
fn filled(writer: &mut Writer, rows: u64) -> Vec<Logged> {
    let mut all = Vec::new();
    let mut chance = 7_u64;
    while (all.len() as u64) < rows {
        let batch = writer.batch(vec![testing::write(0, all.len() as i64, move |tx| {
            let mut outcome = Outcome::reply(0);
            let head = tx.head()?;
            for place in head..head + 250 {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // `rare/N` is heard in one block, `often/N` everywhere, `thin/N` in a few places.
                let draw = chance >> 33;
                let topic = match draw % 10 {
                    0..=4 => format!("rare/{}", place / 1_000),
                    5..=8 => format!("often/{}", draw % 3),
                    _ => format!("thin/{}", draw % 400),
                };
                outcome = outcome.event(event("e", &place.to_string(), &["all", &topic], "1"));
            }
            let principal = format!("p{}", chance >> 40 & 3);
            if (chance >> 50).is_multiple_of(3) {
                outcome = outcome.effect(Effect::Grant { principal, topic: "often/1".into() });
            }
            Ok(outcome)
        })]);
        for answer in batch.expect("a sound disk").answers {
            let rows = answer.result.expect("it is committed").into_parts().1;
            all.extend(rows.iter().map(|row| Logged::clone(row)));
        }
    }
    all
}

fn hears(wanted: &Wanted, row: &Logged) -> bool {
    let variants = row.event.iter().flat_map(|event| &event.variants);
    let topic = variants.flat_map(|v| &v.topics).any(|topic| wanted.topics.contains(topic));
    topic
        || row.effects.iter().any(|effect| {
            effect.principal().is_some_and(|named| wanted.principal.as_deref() == Some(named))
        })
}

/// Replays slice by slice until it is complete.
fn whole(
    tx: &ReadTx<'_>,
    after: Offset,
    upto: Offset,
    wanted: &Wanted,
    limits: &ReplayLimits<'_>,
) -> Vec<Logged> {
    let (mut at, mut rows) = (after, Vec::new());
    let end = upto.min(tx.head().expect("it reads"));
    while at < end {
        let slice = replay(tx, at, upto, wanted, limits).expect("it reads");
        assert!(slice.upto > at && slice.upto <= end, "{} after {at} to {end}", slice.upto);
        assert!(slice.rows.iter().all(|row| row.offset > at && row.offset <= slice.upto));
        rows.extend(slice.rows);
        at = slice.upto;
    }
    rows
}

#[test]
fn replay_with_blocks_is_a_plain_scan() {
    let folder = tempfile::tempdir().expect("room");
    let options = options(folder.path());
    let mut writer = Writer::open(&options, &[]).expect("it opens");
    let all = filled(&mut writer, 5_300);
    let mut reader = Reader::open(&options).expect("it opens");
    let topic = prop_oneof![
        (0..7_u64).prop_map(|n| format!("rare/{n}")),
        (0..4_u64).prop_map(|n| format!("often/{n}")),
        (0..400_u64).prop_map(|n| format!("thin/{n}")),
        Just("none".to_owned()),
    ];
    let topics = proptest::collection::hash_set(topic, 0..4);
    let principal = proptest::option::of((0..5_u64).prop_map(|n| format!("p{n}")));
    let places = (0..5_600_u64, 0..5_600_u64);
    let limits = (1..400_usize, 1..3_000_usize, 1..40_000_usize);
    let config =
        ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    // First with the whole log, then with what is left after pruning into the middle of a block.
    for first in [1, 1_701] {
        if first > 1 {
            prune_to(&mut writer, all.len() as u64 + 1 - first);
        }
        let strategy = (&topics, &principal, places.clone(), limits.clone());
        let mut runner = proptest::test_runner::TestRunner::new(config.clone());
        let reader = std::cell::RefCell::new(&mut reader);
        runner
            .run(
                &strategy,
                |(topics, principal, (after, upto), (rows_max, scanned_max, bytes_max))| {
                    let topics = topics.into_iter().map(Topic::Owned).collect();
                    let wanted = Wanted { topics, principal };
                    let after = after.max(first - 1);
                    let in_range = |row: &&Logged| row.offset > after && row.offset <= upto;
                    let naive: Vec<&Logged> =
                        all.iter().filter(in_range).filter(|row| hears(&wanted, row)).collect();
                    let limits =
                        ReplayLimits { rows_max, scanned_max, bytes_max, out_of_time: &|| false };
                    let found =
                        reader.borrow_mut().read(|tx| whole(tx, after, upto, &wanted, &limits));
                    let found = found.expect("it reads");
                    prop_assert_eq!(found.iter().collect::<Vec<_>>(), naive);
                    Ok(())
                },
            )
            .expect("replay and scan agree");
    }
}

#[test]
fn replay_keeps_to_its_limits() {
    let folder = tempfile::tempdir().expect("room");
    let options = options(folder.path());
    let mut writer = Writer::open(&options, &[]).expect("it opens");
    filled(&mut writer, 2_500);
    let mut reader = Reader::open(&options).expect("it opens");
    let wanted = Wanted { topics: ["all".into()].into(), principal: None };
    let mut check = |limits: &ReplayLimits<'_>, rows: usize, upto: Offset| {
        let found = reader.read(|tx| replay(tx, 0, u64::MAX, &wanted, limits)).expect("it begins");
        let Replayed { rows: found, upto: reached } = found.expect("it reads");
        assert_eq!((found.len(), reached), (rows, upto));
    };
    let slice = ReplayLimits::SLICE;
    check(&ReplayLimits { rows_max: 7, ..slice }, 7, 7);
    check(&ReplayLimits { scanned_max: 1_200, ..slice }, 1_200, 1_200);
    check(&ReplayLimits { bytes_max: 1, ..slice }, 1, 1);
    let asked = Cell::new(0);
    let soon = || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    };
    check(&ReplayLimits { out_of_time: &soon, ..slice }, 192, 192);
    // What nobody wants is passed over, block by block.
    let nothing = Wanted { topics: ["none".into()].into(), principal: None };
    let found = reader.read(|tx| {
        let limits = ReplayLimits { scanned_max: 3, ..slice };
        replay(tx, 0, 2_000, &nothing, &limits)
    });
    assert_eq!(found, Ok(Ok(Replayed { rows: Vec::new(), upto: 2_000 })));
}

fn run_prune(writer: &mut Writer, now: i64, keep: Keep) -> Pruned {
    let said = std::sync::Arc::new(std::sync::Mutex::new(None));
    let out = std::sync::Arc::clone(&said);
    let batch = writer.batch(vec![testing::write(0, now, move |tx| {
        *out.lock().expect("sound") = Some(prune(tx, now, &keep)?);
        Ok(Outcome::reply(0))
    })]);
    batch.expect("a sound disk").answers.pop().expect("one").result.expect("it is committed");
    said.lock().expect("sound").take().expect("it ran")
}

/// Prunes until so many rows are left.
fn prune_to(writer: &mut Writer, events: u64) {
    let keep = Keep { time: 0, events, bytes_max: u64::MAX };
    while !run_prune(writer, i64::MAX, keep).done {}
}

#[test]
fn pruning_keeps_what_it_has_to() {
    let folder = tempfile::tempdir().expect("room");
    let options = options(folder.path());
    let mut writer = Writer::open(&options, &[]).expect("it opens");
    let all = filled(&mut writer, 3_500);
    let (head, end) = (all.len() as u64, all.last().expect("rows").at);
    let stats = writer.log_stats();
    assert_eq!((stats.first, stats.head, stats.last_at), (1, head, Some(end)));
    let none = Pruned { rows: 0, done: true, forced: false };
    let keep = Keep { time: 0, events: 2_100, bytes_max: u64::MAX };
    assert_eq!(run_prune(&mut writer, 0, Keep::default()), none);
    // Both rules hold a row: its age, and its place among the newest.
    assert_eq!(run_prune(&mut writer, end, Keep { time: end, ..keep }).rows, 250);
    let next = Pruned { rows: 500, done: false, forced: false };
    assert_eq!(run_prune(&mut writer, end, keep), next);
    while !run_prune(&mut writer, end, keep).done {}
    assert_eq!(writer.log_stats().first, head - 2_100 + 1);
    // Size goes before both, and is told.
    let half = Keep { bytes_max: writer.log_stats().bytes / 2, ..Keep::default() };
    let mut forced = run_prune(&mut writer, 0, half);
    assert!(forced.forced && !forced.done);
    while !forced.done {
        forced = run_prune(&mut writer, 0, half);
    }
    let left = writer.log_stats();
    assert!(left.bytes <= half.bytes_max && left.bytes > half.bytes_max - 1_000, "{left:?}");
    drop(writer);

    // What is counted as it goes is what is counted anew at the next open.
    let mut writer = Writer::open(&options, &[]).expect("it opens");
    assert_eq!(writer.log_stats(), left);
    // The newest row holds the head, and always stays.
    prune_to(&mut writer, 0);
    let LogStats { first, head: kept, .. } = writer.log_stats();
    assert_eq!((first, kept), (head, head));
    drop(writer);
    let mut writer = Writer::open(&options, &[]).expect("it opens");
    assert_eq!((writer.log_stats().first, writer.log_stats().head), (head, head));
    filled(&mut writer, 1);
    assert!(writer.log_stats().head > head);
}

#[test]
fn a_cursor_is_good_or_says_why_not() {
    let folder = tempfile::tempdir().expect("room");
    let options = options(folder.path());
    let mut writer = Writer::open(&options, &[]).expect("it opens");
    let mut reader = Reader::open(&options).expect("it opens");
    let mut check = |text: &str, expected: Resume| {
        assert_eq!(reader.read(|tx| resume(tx, text)), Ok(Ok(expected)), "{text}");
    };
    check("epoch.0", Resume::From(0));
    check("epoch.1", Resume::Reset(Reason::Future));
    let head = filled(&mut writer, 1_000).len() as u64;
    prune_to(&mut writer, 100);
    let first = head - 99;
    for (text, expected) in [
        (format!("epoch.{head}"), Resume::From(head)),
        (format!("epoch.{}", first - 1), Resume::From(first - 1)),
        (format!("epoch.{}", first - 2), Resume::Reset(Reason::Expired)),
        ("epoch.0".to_owned(), Resume::Reset(Reason::Expired)),
        (format!("epoch.{}", head + 1), Resume::Reset(Reason::Future)),
        (format!("epoch.{}", u64::MAX), Resume::Reset(Reason::Future)),
        (format!("another.{head}"), Resume::Reset(Reason::Epoch)),
        (format!("{}.1", "x".repeat(64)), Resume::Reset(Reason::Epoch)),
    ] {
        check(&text, expected);
    }
    let long = "x".repeat(1_000_000);
    for garbage in [
        "",
        ".",
        "epoch",
        "epoch.",
        ".1",
        "epoch.01",
        "epoch.+1",
        "epoch.-1",
        "epoch.1 ",
        " epoch.1",
        "epoch.18446744073709551616",
        "epoch.1.1",
        "epoch.\u{661}",
        "epo ch.1",
        "\u{0}",
        "e/p.1",
        &long,
    ] {
        check(garbage, Resume::Reset(Reason::Invalid));
    }
    let cursor = Cursor { epoch: "a-Z_9".to_owned(), offset: u64::MAX };
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    let words = [Reason::Expired, Reason::Future, Reason::Epoch, Reason::Limited, Reason::Invalid];
    assert_eq!(words.map(Reason::as_str), ["expired", "future", "epoch", "limited", "invalid"]);
}
