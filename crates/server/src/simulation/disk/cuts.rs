//! The power goes, at every sync of a run and at some of its writes.

use super::{
    Tally,
    content::{Album, Content},
    house::{Base, Defect, House},
    seeds,
    work::{Step, script},
};

/// Batches and checkpoints of a run.
const STEPS: usize = 40;
/// Of how many writes one is photographed.
const ONE_WRITE_IN: u64 = 40;

/// Runs a seed, and looks at what each power cut would leave.
fn run(seed: u64, defect: Defect, tally: &mut Tally) -> Result<Album, String> {
    let base = Base::get();
    // Pages of large commands are written before COMMIT when few are kept in memory.
    let cache_kib = if seed.is_multiple_of(2) { 32 } else { 1_024 };
    let mut house = House::new(seed, cache_kib, defect);
    let mut album = Album::default();
    let mut before = house.content();
    house.disk.photograph(ONE_WRITE_IN);
    for (number, step) in script(base, seed, STEPS).iter().enumerate() {
        match step {
            Step::Checkpoint => drop(house.writer().checkpoint().map_err(|e| e.to_string())?),
            Step::Batch(round) => {
                let batch = house.commit(round).map_err(|e| e.to_string())?;
                for answer in &batch.answers {
                    if answer.result.is_ok() {
                        tally.count(round.jobs[answer.to].name());
                    }
                }
                if let Some(incident) = batch.incidents.first() {
                    return Err(format!("step {number}: {}", incident.cause));
                }
            }
        }
        let after = house.content();
        let mut photos = house.disk.take_photos();
        photos.push(house.disk.photo());
        let acknowledged = photos.len() - 1;
        for (place, photo) in photos.iter().enumerate() {
            let failed = |what: String| {
                format!(
                    "step {number}, power cut {} ({} operations): {what}",
                    photo.moment, photo.ops
                )
            };
            let left = album.look(photo).map_err(failed)?;
            let may_be: &[&Content] =
                if place == acknowledged { &[&after] } else { &[&before, &after] };
            if !may_be.contains(&&left) {
                let apart = left.apart(&after);
                return Err(failed(format!("not what was acknowledged: {}", apart.join(", "))));
            }
        }
        before = after;
    }
    if house.count("SELECT count(*) FROM reading_blocks") > 0 {
        tally.count("packed");
    }
    Ok(album)
}

#[test]
fn a_power_cut_leaves_what_was_acknowledged() {
    let mut tally = Tally::default();
    for seed in seeds(1..4) {
        match run(seed, Defect::default(), &mut tally) {
            Ok(album) => assert!(album.looks > 100, "seed {seed}: {} power cuts", album.looks),
            Err(what) => panic!("seed {seed}: {what}"),
        }
    }
    tally.expect(&[
        "states:create",
        "pairing.approve",
        "readings.create",
        "message",
        "stations.book",
        "notifications.send",
        "due",
        "packed",
        "the log is pruned",
    ]);
}

/// The proof that this can fail: the mutant must lose what it acknowledged.
#[test]
fn a_power_cut_shows_when_commit_does_not_wait_for_the_disk() {
    let defect = Defect { synchronous_normal: true, ..Defect::default() };
    let found = (1..=5).find_map(|seed| run(seed, defect, &mut Tally::default()).err());
    let what = found.expect("the power cuts are too kind");
    assert!(what.contains("not what was acknowledged"), "{what}");
}
