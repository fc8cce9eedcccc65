//! SQLite passes the suite of every backend.

use bellwire_store::{
    sqlite::{Options, Reader, Writer},
    testing,
};

#[test]
fn sqlite_passes_the_suite() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut count = 0;
    testing::exercise(|| {
        count += 1;
        let path = folder.path().join(format!("{count}.db"));
        let options = Options::new(path, "epoch", 0);
        let writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
        (writer, Reader::open(&options).expect("it opens"))
    });
}
