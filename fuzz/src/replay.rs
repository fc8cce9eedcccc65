//! Runs a target without a fuzzer: with each of its seeds, then with what becomes of them by chance.
//!
//! The tests of the crates that have the targets include this file. Chance is a number, so that a run can be done
//! again: `BELLWIRE_TEST_FUZZ_SEED` is another number, `BELLWIRE_TEST_FUZZ_RUNS` another count of runs for each target.
//! An input that fails is printed, and kept in `fuzz/target/found`.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

/// The fewest seeds of a target.
const SEEDS_MIN: usize = 10;
/// The longest input that chance makes, in bytes.
const INPUT_LEN_MAX: usize = 8 << 10;
/// The longest word of the dictionary, in bytes.
const WORD_LEN_MAX: usize = 40;

/// Numbers and bytes that limits are found with.
const EDGES: [&str; 22] = [
    "0",
    "-1",
    "1",
    "65536",
    "2147483648",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "1e400",
    "1.0",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\\u0000",
    "\u{202e}",
    "\u{0}",
    "%00",
    "\r\n",
];

/// The folder of the targets.
fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The seeds of a target, by name.
///
/// # Panics
/// If there are too few.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz().join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{target}: {error}"));
    let mut seeds: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("the folder can be read").path();
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a seed can be read"))
        })
        .collect();
    seeds.sort();
    assert!(seeds.len() >= SEEDS_MIN, "{} has only {} files", folder.display(), seeds.len());
    seeds
}

/// Runs a target with its seeds, then so many times with inputs that are made of them.
///
/// # Panics
/// When the target does; the input is printed and kept.
#[track_caller]
pub fn replay(target: &str, runs: usize, run: fn(&[u8])) {
    let seeds = seeds(target);
    for (name, seed) in &seeds {
        attempt(target, name, seed, run);
    }
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is no number")))
    };
    let seed = number("BELLWIRE_TEST_FUZZ_SEED").unwrap_or(1);
    let runs = number("BELLWIRE_TEST_FUZZ_RUNS").unwrap_or(runs as u64);
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, seed)| seed).collect();
    let mut chance = Chance::of(seed, target);
    let words = words(&seeds);
    for number in 0..runs {
        let input = mutated(&mut chance, &seeds, &words);
        attempt(target, &format!("chance-{seed}-{number}"), &input, run);
    }
}

fn attempt(target: &str, name: &str, input: &[u8], run: fn(&[u8])) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) else { return };
    let folder = fuzz().join("target/found").join(target);
    let file = folder.join(name);
    let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input));
    let place =
        kept.map_or_else(|error| format!("not kept: {error}"), |()| file.display().to_string());
    println!("{target} fails with {name} ({place}):\n{}", input.escape_ascii());
    resume_unwind(panic);
}

/// Numbers by chance (splitmix64).
pub struct Chance(u64);

impl Chance {
    /// Those of this number, for this target.
    pub fn of(seed: u64, target: &str) -> Chance {
        let add = |sum: u64, byte| sum.wrapping_mul(0x100_0000_01B3) ^ u64::from(byte);
        Chance(target.bytes().fold(seed ^ 0xCBF2_9CE4_8422_2325, add))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One below `end`; 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A piece of a text of this length.
    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let from = self.below(len + 1);
        let most = (len - from).min(1 << self.below(8));
        from..from + self.below(most + 1)
    }
}

/// The words of some texts: what stands there between marks, and is neither short nor long.
pub fn words(texts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_mark = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"_-.:%/".contains(byte));
    let words = texts.iter().flat_map(|text| text.split(is_mark));
    let words = words.filter(|word| (2..=WORD_LEN_MAX).contains(&word.len()));
    let words: BTreeSet<Vec<u8>> = words.map(<[u8]>::to_vec).collect();
    words.into_iter().chain(EDGES.map(|edge| edge.as_bytes().to_vec())).collect()
}

/// A seed that was changed in one to four places.
pub fn mutated(chance: &mut Chance, seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[chance.below(seeds.len())].clone();
    for _ in 0..=chance.below(4) {
        change(chance, &mut input, seeds, words);
    }
    input.truncate(INPUT_LEN_MAX);
    input
}

fn change(chance: &mut Chance, input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[Vec<u8>]) {
    let piece = chance.range(input.len());
    let at = chance.below(input.len() + 1);
    match chance.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => input.insert(at, chance.next() as u8),
        2 => drop(input.drain(piece)),
        3 => {
            let copy = input[piece].to_vec();
            drop(input.splice(at..at, copy));
        }
        // The beginning of one, the end of another.
        4 => {
            let other = &seeds[chance.below(seeds.len())];
            let from = chance.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        5 => {
            let other = &seeds[chance.below(seeds.len())];
            let other = other[chance.range(other.len())].to_vec();
            drop(input.splice(at..at, other));
        }
        6 => drop(input.splice(at..at, words[chance.below(words.len())].iter().copied())),
        // Another word or number in the place of one.
        _ => {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
            let from =
                input[..at].iter().rposition(|byte| !is_word(byte)).map_or(0, |mark| mark + 1);
            let len = input[from..].iter().take_while(|byte| is_word(byte)).count();
            drop(input.splice(from..from + len, words[chance.below(words.len())].iter().copied()));
        }
    }
}
