//! Measurements of weather stations as series of readings. `data/weather/README.md` says where they are from.
//!
//! Units become metric; what is missing is no reading; what is strange stays as it is.

use anyhow::{Context as _, bail};
use bellwire_services::kit::Micros;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::unpack;

const NEW_YORK: &[u8] = include_bytes!("../../../../data/weather/nyc-hourly-2013.csv.gz");
const SEATTLE: &[u8] = include_bytes!("../../../../data/weather/seattle-daily.csv.gz");

/// What a station measured, as far as it is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Station {
    file: &'static [u8],
    /// Which rows of the file: those that begin with this.
    rows: &'static str,
    /// And are of times that begin with this.
    during: &'static str,
}

/// Newark airport, hourly.
pub(super) const NEWARK: Station = Station { file: NEW_YORK, rows: "EWR,", during: "" };
/// Kennedy airport, hourly.
pub(super) const KENNEDY: Station = Station { file: NEW_YORK, rows: "JFK,", during: "" };
/// Seattle, daily.
pub(super) const SEATTLE_DAILY: Station = Station { file: SEATTLE, rows: "", during: "" };

impl Station {
    /// What it measured in July.
    pub(super) const fn in_july(self) -> Station {
        Station { during: "2013-07", ..self }
    }

    /// Reads these columns.
    ///
    /// # Errors
    /// When the file is damaged.
    pub(super) fn read(&self, columns: &[Column]) -> anyhow::Result<Vec<Row>> {
        let text = unpack(self.file)?;
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let place = |name: &str| {
            let place = names.iter().position(|other| *other == name);
            place.with_context(|| format!("there is no column {name}"))
        };
        let time = place("time_hour").or_else(|_| place("date"))?;
        let places = columns.iter().map(|column| Ok((place(column.name)?, *column)));
        let places = places.collect::<anyhow::Result<Vec<_>>>()?;
        let mut rows = Vec::new();
        for line in lines.filter(|line| line.starts_with(self.rows)) {
            let cells: Vec<&str> = line.split(',').collect();
            if cells.len() != names.len() {
                bail!("a row has {} cells: {line}", cells.len());
            }
            if !cells[time].starts_with(self.during) {
                continue;
            }
            let values = places.iter().map(|(place, column)| column.value(cells[*place]));
            rows.push(Row { at: moment(cells[time])?, values: values.collect::<Result<_, _>>()? });
        }
        Ok(rows)
    }
}

/// What a station measured at one time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// When.
    pub(super) at: Micros,
    /// What, in the order of the columns that were asked for; `None`: that is missing.
    pub(super) values: Vec<Option<f64>>,
}

/// A time, or the noon of a day.
fn moment(text: &str) -> anyhow::Result<Micros> {
    let time = match text.parse::<Date>() {
        Ok(day) if text.len() == "2013-01-01".len() => {
            day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC)?.timestamp()
        }
        _ => text.parse::<Timestamp>()?,
    };
    Ok(time.as_microsecond())
}

/// A column of a file, and what its values are in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    unit: Unit,
}

/// What values are in, as they were published.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    /// What they are shown in.
    Same,
    /// Degrees Fahrenheit; shown in degrees Celsius.
    Fahrenheit,
    /// Miles per hour; shown in metres per second.
    MilesPerHour,
    /// Inches of rain; shown in millimetres.
    Inches,
    /// Miles; shown in kilometres.
    Miles,
}

impl Column {
    pub(super) const fn new(name: &'static str, unit: Unit) -> Column {
        Column { name, unit }
    }

    fn value(&self, cell: &str) -> anyhow::Result<Option<f64>> {
        if cell == "NA" {
            return Ok(None);
        }
        let value: f64 = cell.parse().with_context(|| format!("{}: {cell}", self.name))?;
        Ok(Some(match self.unit {
            Unit::Same => value,
            Unit::Fahrenheit => rounded((value - 32.0) / 1.8, 10.0),
            Unit::MilesPerHour => rounded(value * 0.447_04, 10.0),
            Unit::Inches => rounded(value * 25.4, 100.0),
            Unit::Miles => rounded(value * 1.609_344, 10.0),
        }))
    }
}

/// To the nearest of so many parts of one.
fn rounded(value: f64, parts: f64) -> f64 {
    // Zero without a sign.
    (value * parts).round() / parts + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_readings() {
        let check = |unit, cell: &str, expected: Option<f64>| {
            let value = Column::new("", unit).value(cell).expect("it is a number");
            assert_eq!(value, expected, "{unit:?} {cell}");
            assert!(value.is_none_or(|value| value != 0.0 || value.is_sign_positive()));
        };
        check(Unit::Same, "59.37", Some(59.37));
        check(Unit::Same, "NA", None);
        check(Unit::Fahrenheit, "39.02", Some(3.9));
        check(Unit::Fahrenheit, "31.98", Some(0.0));
        check(Unit::Fahrenheit, "-9.04", Some(-22.8));
        check(Unit::MilesPerHour, "10.357019999999999", Some(4.6));
        check(Unit::MilesPerHour, "1048.36058", Some(468.7));
        check(Unit::Inches, "0.01", Some(0.25));
        check(Unit::Miles, "10", Some(16.1));
        for cell in ["", "fog", "1,5"] {
            assert!(Column::new("", Unit::Same).value(cell).is_err(), "{cell}");
        }
    }

    #[test]
    fn rows_are_in_order_of_time() {
        let check = |station: Station, column: &'static str, count: usize, ends: [&str; 2]| {
            let rows = station.read(&[Column::new(column, Unit::Same)]).expect("it is sound");
            assert!(rows.is_sorted_by(|a, b| a.at < b.at));
            let at = |row: Option<&Row>| row.map(|row| row.at);
            let ends = ends.map(|text| Some(moment(text).expect("it is a time")));
            assert_eq!((rows.len(), [at(rows.first()), at(rows.last())]), (count, ends));
        };
        let year = ["2013-01-01T06:00:00Z", "2013-12-30T23:00:00Z"];
        check(NEWARK, "temp", 8_703, year);
        check(KENNEDY, "temp", 8_706, year);
        let july = ["2013-07-01T00:00:00Z", "2013-07-31T23:00:00Z"];
        check(KENNEDY.in_july(), "temp", 744, july);
        check(NEWARK.in_july(), "temp", 741, july);
        let years = ["2012-01-01T12:00:00Z", "2015-12-31T12:00:00Z"];
        check(SEATTLE_DAILY, "temp_max", 1_461, years);
    }

    #[test]
    fn the_broken_sensor_is_kept() {
        let rows = NEWARK.read(&[Column::new("wind_speed", Unit::MilesPerHour)]);
        let rows = rows.expect("it is sound");
        let of = |text: &str| {
            let at = moment(text).expect("it is a time");
            rows.iter().find(|row| row.at == at).and_then(|row| row.values[0])
        };
        assert_eq!(of("2013-02-12T08:00:00Z"), Some(468.7));
        let most = rows.iter().filter_map(|row| row.values[0]).filter(|value| *value < 400.0);
        assert_eq!(most.fold(0.0, f64::max), 19.0);
    }
}
