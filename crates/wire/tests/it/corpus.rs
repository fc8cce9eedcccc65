//! The fuzz targets of this crate, without a fuzzer: their seeds, so that they stay true, and what becomes of them by
//! chance.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/src/replay.rs"]
mod replay;
#[path = "../../../../fuzz/src/wire.rs"]
mod targets;

use replay::{Chance, mutated, replay, seeds, words};

#[test]
fn frame() {
    replay("frame", 25_000, targets::frame);
}

#[test]
fn json() {
    replay("json", 25_000, targets::json);
}

#[test]
fn engine() {
    replay("engine", 25_000, targets::engine);
}

#[test]
fn socketio() {
    replay("socketio", 25_000, targets::socketio);
}

/// A target is a file that calls the function of its name, a folder of seeds, a program of the fuzzers' crate, and a
/// test: here, or in the server's `fuzzing`.
#[test]
fn each_target_has_its_seeds() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let names = |folder: &str| {
        let entries = fs::read_dir(fuzz.join(folder)).unwrap();
        let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<String> = entries.map(|entry| stem(&entry.unwrap().path())).collect();
        names.sort();
        names
    };
    let targets = ["calls", "cursor", "engine", "frame", "json", "socketio", "token", "upgrade"];
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let tests =
        include_str!("corpus.rs").to_owned() + include_str!("../../../server/src/fuzzing/mod.rs");
    for target in targets {
        assert!(manifest.contains(&format!("name = \"{target}\"\n")), "{target}");
        let file = fs::read_to_string(fuzz.join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(file.contains(&format!("bellwire_fuzz::{target}(data)")), "{target}");
        assert!(tests.contains(&format!("replay(\"{target}\", ")), "{target} has no test");
        seeds(target);
    }
}

/// Chance makes other inputs of the same seeds, the same ones each time.
#[test]
fn chance_comes_again() {
    let seeds: Vec<_> = seeds("socketio").into_iter().map(|(_, seed)| seed).collect();
    let words = words(&seeds);
    assert!(words.iter().any(|word| word == b"_placeholder"), "words of the seeds are known");
    let inputs = |number| {
        let mut chance = Chance::of(number, "socketio");
        (0..200).map(|_| mutated(&mut chance, &seeds, &words)).collect::<Vec<_>>()
    };
    let first = inputs(1);
    assert_eq!(first, inputs(1));
    let distinct: HashSet<_> = first.iter().chain(&inputs(2)).cloned().collect();
    assert!(distinct.len() > 350, "{}", distinct.len());
    assert!(first.iter().filter(|input| !seeds.contains(input)).count() > 180);
}
