//! The seeds of the fuzz targets, run through the targets' own code, so that they stay true.

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

/// Every file of a target's folder.
#[track_caller]
fn check(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10, "{} has only {} files", folder.display(), files.len());
    for file in files {
        println!("{}", file.display()); // names the culprit when it fails
        run(&fs::read(&file).unwrap());
    }
}

#[test]
fn frame() {
    check("frame", targets::frame);
}

#[test]
fn json() {
    check("json", targets::json);
}

#[test]
fn engine() {
    check("engine", targets::engine);
}

#[test]
fn socketio() {
    check("socketio", targets::socketio);
}

/// A target is a file that calls the function of its name, a folder of seeds, and a test here.
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
    assert_eq!(names("fuzz_targets"), ["engine", "frame", "json", "socketio"]);
    assert_eq!(names("corpus"), names("fuzz_targets"));
}
