//! There is no room for a while. Beside the house stands a second one with room for everything, in which only that is
//! done which the first did not refuse: both have to hold the same at all times.

use bellwire_services::kit;
use bellwire_store::{batch::Answer, sqlite::Reader};

use super::{
    SEED,
    content::Album,
    house::{BEGINNING, Base, Defect, House, SECOND, is_full, options},
    seeds,
    work::{Job, Round, Step, call, is_due, script},
};
use crate::simulation::chance::Chance;

/// Batches and checkpoints of a run.
const STEPS: usize = 30;

/// Both houses.
struct Both {
    house: House,
    shadow: House,
    album: Album,
    /// Commands that were refused for want of room.
    refused: usize,
}

impl Both {
    fn new(seed: u64) -> Both {
        // Pages of large commands are written before COMMIT when few are kept in memory.
        let cache_kib = if seed.is_multiple_of(2) { 32 } else { 1_024 };
        let [house, shadow] =
            [cache_kib, 1_024].map(|kib| House::new(seed, kib, Defect::default()));
        Both { house, shadow, album: Album::default(), refused: 0 }
    }

    /// Does this; says how many commands were refused for want of room.
    fn commit(&mut self, round: &Round) -> Result<usize, String> {
        let batch = self.house.commit(round).map_err(|fatal| format!("it ends: {fatal}"))?;
        let (full, done): (Vec<_>, Vec<_>) =
            batch.answers.iter().partition(|answer| is_full(&answer.result));
        if batch.incidents.iter().any(|incident| !is_full(&batch.answers[incident.answer].result)) {
            return Err(format!("something else is wrong: {:?}", batch.incidents));
        }
        let writes = done.iter().map(|answer| round.write(&round.jobs[answer.to], answer.to));
        let beside = self.shadow.writer().batch(writes.collect()).map_err(|e| e.to_string())?;
        for (one, other) in done.iter().zip(&beside.answers) {
            let said = |answer: &Answer<kit::Answer, usize>| match &answer.result {
                Ok(committed) => Ok(committed.reply().json.get().to_owned()),
                Err(fault) => Err(fault.clone()),
            };
            if said(one) != said(other) {
                return Err(format!("{} is answered otherwise", round.jobs[one.to].name()));
            }
        }
        self.refused += full.len();
        Ok(full.len())
    }

    /// Both hold the same, and a power cut leaves it.
    fn compare(&mut self) -> Result<(), String> {
        let (here, there) = (self.house.content(), self.shadow.content());
        if here != there {
            return Err(format!("{:?} are not what was acknowledged", here.apart(&there)));
        }
        let left = self.album.look(&self.house.disk.photo())?;
        if left != here {
            return Err(format!("a power cut takes {:?}", here.apart(&left)));
        }
        Ok(())
    }
}

fn run(seed: u64) -> Result<usize, String> {
    let mut chance = Chance::new(seed ^ 0xf011);
    let mut both = Both::new(seed);
    if seed.is_multiple_of(3) {
        both.house.disk.has_quota();
    }
    let mut left = 0;
    for (number, step) in script(Base::get(), seed, STEPS).iter().enumerate() {
        let failed = |what: String| format!("step {number}: {what}");
        if left > 0 {
            left -= 1;
            if left == 0 {
                both.house.disk.fill(false);
            }
        } else if chance.one_in(4) {
            both.house.disk.fill_at(1 + chance.below(60) as u64);
            left = 2 + chance.below(5);
        }
        match step {
            Step::Checkpoint => {
                both.house.writer().checkpoint().map_err(|fatal| failed(fatal.to_string()))?;
            }
            Step::Batch(round) => {
                let full = both.commit(round).map_err(failed)?;
                if left == 0 && full > 0 {
                    return Err(failed("there is room, and it refuses".into()));
                }
            }
        }
        both.compare().map_err(failed)?;
        if left > 0 && chance.one_in(8) {
            // Who starts without room serves what there is.
            both.house.end();
            both.house.begin();
            both.compare().map_err(failed)?;
        }
    }
    Ok(both.refused)
}

#[test]
fn without_room_nothing_is_half_done() {
    let mut refused = 0;
    for seed in seeds(1..5) {
        match run(seed) {
            Ok(count) => refused += count,
            Err(what) => panic!("seed {seed}: {what}"),
        }
    }
    let usual = std::env::var(SEED).is_err();
    assert!(!usual || refused > 0, "there was always room");
}

/// What is due while there is no room is still to be done when there is.
#[test]
fn what_is_due_waits_for_room() {
    let base = Base::get();
    let mut both = Both::new(1);
    let later = |minutes: i64| BEGINNING + minutes * 60 * SECOND;
    let round = |jobs: Vec<Job>, minutes, seed| Round { jobs, now: later(minutes), seed };
    let book = |user: usize| {
        call(&base.users[user], "stations.book", serde_json::json!({ "station_id": 1 }))
    };
    both.commit(&round(vec![book(2), book(3)], 1, 1)).expect("there is room");
    both.compare().expect("there is room");

    both.house.disk.fill(true);
    for minutes in 40..45 {
        let full = both.commit(&round(vec![Job::Due], minutes, minutes as u64));
        assert_eq!(full, Ok(1), "there is no room");
    }
    both.compare().expect("nothing is half done");
    let mut options = options(&both.house.folder.path().join("db"));
    options.readers = 1;
    let mut reader = Reader::open(&options).expect("it opens");
    let mut is_due = |minutes| reader.read(|tx| is_due(tx, later(minutes))).expect("reads go on");
    assert_eq!(is_due(45), Ok(true), "it is not lost");

    both.house.disk.fill(false);
    let mut ran = 0;
    while is_due(50) == Ok(true) {
        assert_eq!(both.commit(&round(vec![Job::Due], 50, 100 + ran)), Ok(0));
        ran += 1;
        assert!(ran < 20, "it comes to an end");
    }
    assert!(ran >= 4, "four holds and what else was due, but {ran} ran");
    both.compare().expect("all of it is done");
    let held =
        both.shadow.count("SELECT count(*) FROM bookings WHERE status IN ('confirmed', 'ready')");
    assert_eq!(held, 0, "a hold whose time is over is no hold");
}
