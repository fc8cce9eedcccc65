//! Every statement is understood by both databases.

use bellwire_store::{
    migrate::{self, to_postgres},
    sqlite::{Options, Writer},
    statements, testing,
};

#[test]
fn sqlite_prepares_every_statement() {
    let folder = tempfile::tempdir().expect("room");
    let options = Options::new(folder.path().join("db"), "epoch", 0);
    let writer = Writer::open(&options, &[testing::MIGRATIONS]).expect("it opens");
    assert_eq!(writer.check(&statements()), Ok(()));
}

#[test]
fn postgres_prepares_every_statement() {
    let Ok(url) = std::env::var("BELLWIRE_TEST_PG") else {
        panic!("run `cargo xtask test`, which starts a PostgreSQL for this test")
    };
    let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("it is reached");
    // In a transaction that is never committed, in a schema of its own: nothing is left behind.
    let mut tx = client.transaction().expect("it begins");
    tx.batch_execute("CREATE SCHEMA bellwire_store_test; SET search_path = bellwire_store_test")
        .expect("a schema");
    for ddl in migrate::ddl(&[testing::MIGRATIONS]) {
        let ddl = to_postgres(ddl);
        tx.batch_execute(&ddl).unwrap_or_else(|e| panic!("{e:?} in: {ddl}"));
    }
    for statement in statements() {
        tx.prepare(statement.0).unwrap_or_else(|e| panic!("{e:?} in: {}", statement.0));
    }
}
