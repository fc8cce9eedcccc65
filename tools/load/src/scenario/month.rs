//! What is stored of one sensor over a long time, and how long questions about it take.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::bench::Bench;
use crate::boards::{self, Board};
use crate::child::{Child, Ready, ScratchDir};
use crate::endpoint::Publish;
use crate::feed::now_us;
use crate::month::{Series, Stored, copy, used_len};
use crate::opening::Line;
use crate::readings::rfc3339;
use crate::report::{Row, grouped};
use crate::stat::Spread;
use crate::{http, interrupt};

/// Milliseconds that 500 buckets of a month may take: of what was packed, and of what was not.
const PACKED_MS: f64 = 50.0;
const COLD_MS: f64 = 1000.0;
/// Into so many buckets a month of 30 days is cut.
const BUCKETS: u64 = 500;
const EVERY_S: u64 = 30 * 86_400 / BUCKETS;
/// How long the server may take to pack all of it.
const PACKING_LIMIT: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Readings that stay rows: those of the newest ten minutes, and less than a set of rows that is packed.
const ROWS_MAX: u64 = 600 + 1024;

/// A sensor that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What it is called.
    pub name: &'static str,
    series: Series,
    /// Whether it is asked for, or stored only.
    is_asked: bool,
}

/// Both.
pub const KINDS: [Kind; 2] = [
    Kind {
        name: "a month at 1 Hz",
        series: Series { readings: 30 * 86_400, every_s: 1, is_dated: false },
        is_asked: true,
    },
    Kind {
        name: "60 days once a minute, dated",
        series: Series { readings: 60 * 1_440, every_s: 60, is_dated: true },
        is_asked: false,
    },
];

/// A question, and what it has to be answered.
struct Question {
    what: &'static str,
    /// From the beginning of the readings, and how long.
    query: String,
    /// How many items an answer has.
    items: u64,
    /// How many readings these come to.
    readings: u64,
    budget_ms: Option<f64>,
}

/// Stores, asks, lets the server pack, and asks again.
pub fn measure(bench: &Bench, kind: Kind, cold: u32, warm: u32) -> Result<Vec<Row>> {
    let scratch = bench.scratch("month")?;
    let data = scratch.path().join("data");
    let store = Store::fill(bench, &data, kind)?;
    let mut rows = Vec::new();
    if kind.is_asked {
        for question in store.questions().iter().take(2) {
            // Questions that take too long are refused: that is worth a line, and no end.
            let asked = store.ask_cold(bench, scratch.path(), question, cold);
            rows.push(asked.unwrap_or_else(|error| {
                Row::of_failure(format!("{}, {}, cold", kind.name, question.what), &error)
            }));
        }
    }
    let log = bench.scratch("month-log")?;
    let began = Instant::now();
    let (child, address) = serve(bench, &data, &log)?;
    let stored = store.wait_until_packed(&data, began)?;
    let took = began.elapsed();
    if kind.is_asked {
        let mut line = boards::line(address)?;
        for question in &store.questions() {
            let times =
                (0..warm).map(|_| store.ask(&mut line, question)).collect::<Result<Vec<_>>>()?;
            rows.push(row(format!("{}, {}", kind.name, question.what), &times, question.budget_ms));
        }
    }
    child.stop()?;
    rows.push(store.lengths_row(&data, stored, took)?);
    Ok(rows)
}

/// A data directory with one sensor's readings.
struct Store {
    kind: Kind,
    board: Board,
    admin: String,
    from_us: i64,
    /// Of the database without readings, and with them as rows.
    len_before: u64,
    len_rows: u64,
}

impl Store {
    /// Makes a sensor, as an admin does, and gives it readings.
    fn fill(bench: &Bench, data: &Path, kind: Kind) -> Result<Self> {
        let served = bench.bellwire_on(data, None, bench.scratch("month-fill")?)?;
        let Publish::Create { writer: admin, .. } = served.endpoint.publish.clone() else {
            anyhow::bail!("only a server of ours has sensors");
        };
        let address = served.endpoint.address;
        let board = boards::make(address, &admin, 1)?.remove(0);
        // At the beginning of a bucket and of a day's minute, and over for at least an hour.
        let width_us = (EVERY_S * 1_000_000) as i64;
        let end_us = now_us() - 3_600_000_000;
        let from_us = (end_us - kind.series.length_us()).div_euclid(width_us) * width_us;
        // The newest comes as others do, so that the server knows of it.
        let newest = rfc3339(from_us + kind.series.length_us() - 1);
        let path = format!("POST /api/sensors/{}/readings", board.sensor_id);
        let newest = format!(r#"{{"value":20,"timestamp":"{newest}"}}"#);
        boards::line(address)?.ask(&http::json(address, &path, Some(&board.token), &newest))?;
        served.stop()?;
        let len_before = used_len(data)?;
        let rest = Series { readings: kind.series.readings - 1, ..kind.series };
        rest.insert(data, board.sensor_id, from_us)?;
        let len_rows = used_len(data)?;
        Ok(Self { kind, board, admin, from_us, len_before, len_rows })
    }

    fn questions(&self) -> [Question; 4] {
        let all = self.kind.series.readings;
        let window = |from_us: i64, len_us: i64| {
            format!("from={}&to={}", rfc3339(from_us), rfc3339(from_us + len_us))
        };
        let len_us = self.kind.series.length_us();
        let month = window(self.from_us, len_us);
        let minute = (self.from_us + 59_999_999).div_euclid(60_000_000) * 60_000_000;
        let buckets = |what, agg| Question {
            what,
            query: format!("{month}&every={EVERY_S}s&agg={agg}"),
            items: BUCKETS,
            readings: all,
            budget_ms: Some(PACKED_MS),
        };
        [
            buckets("500 buckets, avg", "avg"),
            buckets("500 buckets, minmax", "minmax"),
            Question {
                what: "a day of it by the minute",
                query: format!("{}&every=1m&limit=1440", window(minute, 86_400_000_000)),
                items: 1_440,
                readings: 86_400,
                budget_ms: None,
            },
            Question {
                what: "100 readings of its middle",
                query: format!("{}&limit=100", window(self.from_us, len_us / 2)),
                items: 100,
                readings: 0,
                budget_ms: None,
            },
        ]
    }

    /// Milliseconds that an answer takes.
    fn ask(&self, line: &mut Line, question: &Question) -> Result<f64> {
        interrupt::check()?;
        let target = format!("/api/sensors/{}/readings?{}", self.board.sensor_id, question.query);
        let request = http::json(line.address(), &format!("GET {target}"), Some(&self.admin), "");
        let began = Instant::now();
        let answer = line.ask(&request)?;
        let took = began.elapsed();
        let items = String::from_utf8_lossy(&answer).matches(r#"{"timestamp":"#).count()
            + String::from_utf8_lossy(&answer).matches(r#"{"value":"#).count();
        let readings: u64 = http::numbers_of(&answer, "count")?.iter().sum();
        ensure!(
            (items as u64, readings) == (question.items, question.readings),
            "{}: {items} items of {readings} readings",
            question.what
        );
        Ok(took.as_secs_f64() * 1000.0)
    }

    /// Asks servers that have just started on a copy that was not packed yet, nor read.
    fn ask_cold(
        &self,
        bench: &Bench,
        scratch: &Path,
        question: &Question,
        tries: u32,
    ) -> Result<Row> {
        let (mut times, mut packed) = (Vec::new(), 0);
        for _ in 0..tries {
            let data = scratch.join("copy");
            copy(&scratch.join("data"), &data)?;
            let log = bench.scratch("month-log")?;
            let (child, address) = serve(bench, &data, &log)?;
            let mut line = boards::line(address)?;
            times.push(self.ask(&mut line, question)?);
            packed = packed.max(Stored::of(&data, self.board.sensor_id)?.packed);
            drop(line);
            child.stop()?;
            std::fs::remove_dir_all(&data)?;
        }
        let what = format!("{}, {}, cold", self.kind.name, question.what);
        let mut row = row(what, &times, question.budget_ms.map(|_| COLD_MS));
        if packed > 0 {
            row.ours += &format!(", up to {} packed by then", grouped(packed));
        }
        Ok(row)
    }

    fn wait_until_packed(&self, data: &Path, began: Instant) -> Result<Stored> {
        let mut stored = Stored::of(data, self.board.sensor_id)?;
        // Those of the newest ten minutes are few where they come once a minute.
        while stored.rows >= ROWS_MAX {
            interrupt::check()?;
            ensure!(began.elapsed() < PACKING_LIMIT, "still not packed: {stored:?}");
            std::thread::sleep(LOOK_EVERY);
            stored = Stored::of(data, self.board.sensor_id)?;
        }
        let all = self.kind.series.readings;
        ensure!(stored.rows + stored.packed == all, "{stored:?} of {all}");
        Ok(stored)
    }

    /// Bytes of a reading, as a row and packed.
    fn lengths_row(&self, data: &Path, stored: Stored, took: Duration) -> Result<Row> {
        let row_len = (self.len_rows - self.len_before) as f64 / self.kind.series.readings as f64;
        // What is still rows is counted as such.
        let rows = row_len * stored.rows as f64;
        let packed = used_len(data)?.saturating_sub(self.len_before) as f64 - rows;
        let packed_len = packed / stored.packed as f64;
        let mut ours = format!("packed: {packed_len:.2} B");
        if self.kind.is_asked {
            // Of others there are too few for a rate.
            let rate = stored.packed as f64 / took.as_secs_f64().max(f64::EPSILON);
            ours += &format!("; {} /s are packed", grouped(rate as u64));
        }
        Ok(Row {
            what: format!("{}, bytes of a reading", self.kind.name),
            bare: format!("as a row: {row_len:.1} B"),
            ours,
            ratio: Some(Spread::of(&[packed_len / row_len])),
            budget: "none".to_owned(),
            kept: None,
        })
    }
}

/// Starts a server on what there is, and waits until it serves.
fn serve(bench: &Bench, data: &Path, log: &ScratchDir) -> Result<(Child, SocketAddr)> {
    let (mut child, address) = bench.launch(data, None, log)?;
    child.wait_until(Ready::Readyz, address)?;
    Ok((child, address))
}

fn row(what: String, times_ms: &[f64], budget_ms: Option<f64>) -> Row {
    let Spread { median, min, max } = Spread::of(times_ms);
    Row {
        what,
        bare: String::new(),
        ours: format!("{median:.1} ms ({min:.1} to {max:.1})"),
        ratio: None,
        budget: budget_ms.map_or("none".to_owned(), |budget| format!("{budget:.0} ms")),
        kept: budget_ms.map(|budget| median <= budget),
    }
}
