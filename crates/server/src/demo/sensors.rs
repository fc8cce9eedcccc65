//! The demo's devices: two of hydroponics, whose numbers clients of the documents know, and three weather stations.
//!
//! Each sensor shows a series of a station. What it has measured before is that series, moved by whole days so that it
//! ends just before now; it is there a few seconds after the start. What it measures now is the same series again, a row
//! every few seconds, in a loop. The airports begin it eight hours before the wind at Newark seems to blow at 468.7 m/s,
//! so that its alarm is soon seen.
//!
//! There are no series of hydroponics: their temperatures are those of July at the airports.

use std::{collections::HashSet, sync::Arc, time::Duration};

use anyhow::anyhow;
use bellwire_services::{
    kit::{Code, Micros},
    sensors::{self, Alarm, SampleDevice, SampleSensor},
};
use jiff::Timestamp;
use serde_json::json;
use tokio::task::{JoinSet, spawn_blocking};

use super::{
    Caller, wait,
    weather::{Column, KENNEDY, NEWARK, Row, SEATTLE_DAILY, Station, Unit},
    words,
};
use crate::door::Door;

/// Between two rows at the least, whatever the speed: nobody sees more, and a log full of weather helps nobody.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Readings of before that are written together, at most; fewer where that takes too long.
const SLICE_READINGS: usize = 500;
/// Between two of these, so that others come to write.
const SLICE_PAUSE: Duration = Duration::from_millis(5);
/// Before the next try, when there was no room.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// A device of the demo.
struct Board {
    device: SampleDevice,
    /// What its sensors show: a column each.
    station: Station,
    columns: &'static [Column],
    /// Which time of the series is shown first as it goes on; if empty, the first.
    from: &'static str,
    /// Between two rows of the series.
    pause: Duration,
}

static BOARDS: [Board; 5] = [
    hydroponics(1, "Hydroponic System 1", &[sensor(1, "temperature", "celsius")], NEWARK),
    hydroponics(2, "Hydroponic System 2", &[sensor(2, "temperature", "celsius")], KENNEDY),
    airport(3, "Newark Airport", &observations(3, Some(STORM)), NEWARK),
    airport(4, "Kennedy Airport", &observations(10, None), KENNEDY),
    Board {
        device: SampleDevice {
            device: 5,
            name: "Seattle",
            sensors: &[
                sensor(17, "temp_max", "celsius"),
                sensor(18, "temp_min", "celsius"),
                sensor(19, "precipitation", "mm"),
                sensor(20, "wind", "m/s"),
            ],
        },
        station: SEATTLE_DAILY,
        columns: &[
            Column::new("temp_max", Unit::Same),
            Column::new("temp_min", Unit::Same),
            Column::new("precipitation", Unit::Same),
            Column::new("wind", Unit::Same),
        ],
        from: "",
        pause: Duration::from_secs(5),
    },
];

/// No wind in the series is so strong; only a sensor that failed says so.
const STORM: Alarm = Alarm { above: Some(30.0), below: None, hysteresis: 1.0, hold_off_s: 600 };

const fn sensor(sensor: i64, sensor_type: &'static str, unit: &'static str) -> SampleSensor {
    SampleSensor { sensor, sensor_type, unit, raw_days: None, alarm: None }
}

const fn hydroponics(
    device: i64,
    name: &'static str,
    sensors: &'static [SampleSensor],
    station: Station,
) -> Board {
    Board {
        device: SampleDevice { device, name, sensors },
        station: station.in_july(),
        columns: OBSERVED.split_at(1).0,
        from: "",
        pause: Duration::from_secs(2),
    }
}

const fn airport(
    device: i64,
    name: &'static str,
    sensors: &'static [SampleSensor],
    station: Station,
) -> Board {
    Board {
        device: SampleDevice { device, name, sensors },
        station,
        columns: &OBSERVED,
        from: "2013-02-12T00:00:00Z",
        pause: Duration::from_secs(3),
    }
}

/// What is observed at an airport; the temperature comes first.
static OBSERVED: [Column; 7] = [
    Column::new("temp", Unit::Fahrenheit),
    Column::new("dewp", Unit::Fahrenheit),
    Column::new("humid", Unit::Same),
    Column::new("wind_speed", Unit::MilesPerHour),
    Column::new("pressure", Unit::Same),
    Column::new("visib", Unit::Miles),
    Column::new("precip", Unit::Inches),
];

/// The sensors of an airport, in the order of the columns that they show.
const fn observations(first: i64, wind: Option<Alarm>) -> [SampleSensor; 7] {
    [
        sensor(first, "temperature", "celsius"),
        sensor(first + 1, "dew_point", "celsius"),
        sensor(first + 2, "humidity", "percent"),
        SampleSensor { alarm: wind, ..sensor(first + 3, "wind_speed", "m/s") },
        sensor(first + 4, "pressure", "hPa"),
        sensor(first + 5, "visibility", "km"),
        sensor(first + 6, "precipitation", "mm"),
    ]
}

/// The device for which a guest may try to post.
pub(super) fn board() -> &'static SampleDevice {
    &BOARDS[0].device
}

/// The sensors that show something: those of the demo that nobody made into something else.
#[derive(Debug, Clone)]
pub struct Shown(HashSet<i64>);

/// Makes the demo's devices and sensors, those that are not there yet.
///
/// # Errors
/// The store's.
pub async fn add_devices(door: &Door) -> anyhow::Result<Shown> {
    let added = door.maintain(|tx, now| {
        let mut shown = HashSet::new();
        for board in &BOARDS {
            shown.extend(sensors::add_sample(tx, now, &board.device)?);
        }
        Ok(Shown(shown))
    });
    added.await.map_err(words)
}

/// Lets all sensors measure, until it is aborted.
pub(super) async fn run(door: &Arc<Door>, speed: f64, shown: &Shown) {
    let mut measuring = JoinSet::new();
    for board in &BOARDS {
        match prepare(door, board, shown).await {
            Ok(rows) => {
                measuring.spawn(measure(door.clone(), board, rows, speed));
            }
            Err(error) => {
                let device = board.device.name;
                tracing::error!(device, %error, "a device of the demo shows nothing");
            }
        }
    }
    while measuring.join_next().await.is_some() {}
}

/// What a sensor measured at one time: its number and the value.
type Values = Vec<(i64, f64)>;

/// Reads what the sensors of a device show, and writes it as what they have measured before.
async fn prepare(
    door: &Door,
    board: &'static Board,
    shown: &Shown,
) -> anyhow::Result<Vec<(Micros, Values)>> {
    let rows = spawn_blocking(|| board.station.read(board.columns)).await??;
    let sensors: Vec<i64> = board.device.sensors.iter().map(|sensor| sensor.sensor).collect();
    for (place, sensor) in sensors.iter().enumerate() {
        if shown.0.contains(sensor) {
            let series = rows.iter().filter_map(|row| Some((row.at, row.values[place]?)));
            remember(door, *sensor, series.collect()).await?;
        }
    }
    let values = |row: Row| {
        let values = sensors.iter().copied().zip(row.values);
        let values = values.filter_map(|(sensor, value)| Some((sensor, value?)));
        (row.at, values.filter(|(sensor, _)| shown.0.contains(sensor)).collect())
    };
    Ok(rows.into_iter().map(values).collect())
}

/// Writes what a sensor has measured before, unless an earlier run did, or goes on where one stopped.
async fn remember(door: &Door, sensor: i64, series: Vec<(Micros, f64)>) -> anyhow::Result<()> {
    let mut caller = Caller::new(door);
    let series = Arc::new(series);
    let mut most = SLICE_READINGS;
    loop {
        let slice = series.clone();
        let added =
            door.maintain(move |tx, _| sensors::add_readings(tx, sensor, &slice, most)).await;
        match added {
            Ok(true) => wait(SLICE_PAUSE).await,
            Ok(false) => return Ok(()),
            // The machine is busy, or slow.
            Err(fault) if fault.code == Code::Timeout => {
                most = (most / 2).max(1);
                wait(SLICE_PAUSE).await;
            }
            Err(fault) if matches!(fault.code, Code::Full | Code::Overloaded) => {
                caller.complain(&fault);
                wait(RETRY_PAUSE).await;
            }
            Err(fault) => return Err(words(fault)),
        }
    }
}

/// Posts what the sensors of a device measure, a row after the other.
async fn measure(door: Arc<Door>, board: &'static Board, rows: Vec<(Micros, Values)>, speed: f64) {
    let mut caller = Caller::new(&door);
    let from = first_shown(board.from).unwrap_or(Micros::MIN);
    let first = rows.iter().position(|(at, _)| *at >= from).unwrap_or(0);
    for (_, values) in rows.iter().cycle().skip(first) {
        let reading = |(sensor, value): &(i64, f64)| json!({ "sensor_id": sensor, "value": value });
        let readings: Vec<_> = values.iter().map(reading).collect();
        if !readings.is_empty() {
            caller.call("sensor_data_batch", json!({ "readings": readings })).await;
        }
        wait(board.pause.div_f64(speed).max(PAUSE_MIN)).await;
    }
}

fn first_shown(text: &str) -> anyhow::Result<Micros> {
    let time: Timestamp = text.parse().map_err(|error| anyhow!("{text}: {error}"))?;
    Ok(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sensor_shows_a_column() {
        let mut numbers = Vec::new();
        for board in &BOARDS {
            assert_eq!(board.device.sensors.len(), board.columns.len(), "{}", board.device.name);
            let rows = board.station.read(board.columns).expect("the files are sound");
            let from = first_shown(board.from).unwrap_or(rows[0].at);
            assert!(rows.iter().any(|row| row.at == from), "{}", board.device.name);
            numbers.extend(board.device.sensors.iter().map(|sensor| sensor.sensor));
        }
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    }

    /// The wind that raises the alarm comes soon, and no other does.
    #[test]
    fn the_alarm_is_seen() {
        let board = &BOARDS[2];
        let wind = board.device.sensors.iter().position(|sensor| sensor.alarm.is_some());
        let wind = wind.expect("a sensor has an alarm");
        let rows = board.station.read(board.columns).expect("the files are sound");
        let from = first_shown(board.from).expect("it is a time");
        let is_storm = |row: &&Row| row.values[wind] > STORM.above;
        let before = |row: &&Row| (from..).contains(&row.at) && !is_storm(row);
        let first = rows.iter().skip_while(|row| row.at < from);
        assert_eq!(first.take_while(before).count(), 8);
        assert_eq!(rows.iter().filter(is_storm).count(), 1);
    }
}
