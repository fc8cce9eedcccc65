//! The statements of readings as they are kept.

use bellwire_store::statements;

statements! {
    /// A new reading.
    INSERT = "INSERT INTO readings (sensor_id, at, value, delay) VALUES ($1, $2, $3, $4)";
    /// Another reading at the time of one that is a row.
    UPDATE = "UPDATE readings SET value = $3, delay = $4 WHERE sensor_id = $1 AND at = $2";
    /// The row of a time.
    ROW = "SELECT at, value, delay FROM readings WHERE sensor_id = $1 AND at = $2";
    /// Rows of a time, the oldest first.
    ROWS_UP = "SELECT at, value, delay FROM readings
               WHERE sensor_id = $1 AND at >= $2 AND at < $3 ORDER BY at LIMIT $4";
    /// Rows of a time, the newest first.
    ROWS_DOWN = "SELECT at, value, delay FROM readings
                 WHERE sensor_id = $1 AND at >= $2 AND at < $3 ORDER BY at DESC LIMIT $4";
    /// The time of the row that has this many older ones, if it is not after `$2`.
    NTH_ROW = "SELECT at FROM readings WHERE sensor_id = $1 AND at <= $2 ORDER BY at LIMIT 1 OFFSET $3";
    /// Rows from one to another less.
    DELETE_ROWS = "DELETE FROM readings WHERE sensor_id = $1 AND at >= $2 AND at <= $3";

    /// The block in whose span a time is, if there is one: else one that ends before it.
    BLOCK_AT = "SELECT from_at, readings, sum, min, max, last, upto_at, packed FROM reading_blocks
                WHERE sensor_id = $1 AND from_at <= $2 ORDER BY from_at DESC LIMIT 1";
    /// Blocks that begin before `$3`, the oldest first, from the last that begins before `$2` on.
    BLOCKS_UP = "SELECT from_at, readings, sum, min, max, last, upto_at, packed FROM reading_blocks
                 WHERE sensor_id = $1 AND from_at < $3 AND from_at >= coalesce(
                     (SELECT max(from_at) FROM reading_blocks WHERE sensor_id = $1 AND from_at <= $2), $2)
                 ORDER BY from_at";
    /// Blocks that begin before a time, the newest first.
    BLOCKS_DOWN = "SELECT from_at, readings, sum, min, max, last, upto_at, packed FROM reading_blocks
                   WHERE sensor_id = $1 AND from_at < $2 ORDER BY from_at DESC";
    /// The oldest blocks.
    OLDEST_BLOCKS = "SELECT from_at, readings, sum, min, max, last, upto_at, packed FROM reading_blocks
                     WHERE sensor_id = $1 ORDER BY from_at LIMIT $2";
    /// Where the next block begins.
    NEXT_BLOCK = "SELECT from_at FROM reading_blocks WHERE sensor_id = $1 AND from_at > $2
                  ORDER BY from_at LIMIT 1";
    /// A new block.
    INSERT_BLOCK = "INSERT INTO reading_blocks
                        (sensor_id, from_at, readings, sum, min, max, last, upto_at, packed)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// A block less.
    DELETE_BLOCK = "DELETE FROM reading_blocks WHERE sensor_id = $1 AND from_at = $2";

    /// Hours that begin within a time.
    HOURS = "SELECT from_at, readings, sum, min, max, last FROM reading_hours
             WHERE sensor_id = $1 AND from_at >= $2 AND from_at < $3 ORDER BY from_at";
    /// What an hour has come to.
    PUT_HOUR = "INSERT INTO reading_hours (sensor_id, from_at, readings, sum, min, max, last)
                VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sensor_id, from_at) DO UPDATE SET
                    readings = excluded.readings, sum = excluded.sum, min = excluded.min,
                    max = excluded.max, last = excluded.last";
    /// Hours that begin within a time less.
    DELETE_HOURS = "DELETE FROM reading_hours WHERE sensor_id = $1 AND from_at >= $2 AND from_at < $3";
    /// Days that begin within a time.
    DAYS = "SELECT from_at, readings, sum, min, max, last FROM reading_days
            WHERE sensor_id = $1 AND from_at >= $2 AND from_at < $3 ORDER BY from_at";
    /// What a day has come to.
    PUT_DAY = "INSERT INTO reading_days (sensor_id, from_at, readings, sum, min, max, last)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sensor_id, from_at) DO UPDATE SET
                   readings = excluded.readings, sum = excluded.sum, min = excluded.min,
                   max = excluded.max, last = excluded.last";
    /// Days that begin within a time less.
    DELETE_DAYS = "DELETE FROM reading_days WHERE sensor_id = $1 AND from_at >= $2 AND from_at < $3";

    /// From where on there is what of a sensor.
    ENDS = "SELECT raw_from, hours_from, days_from FROM sensor_ends WHERE sensor_id = $1";
    /// The same, as it is from now on.
    PUT_ENDS = "INSERT INTO sensor_ends (sensor_id, raw_from, hours_from, days_from)
                VALUES ($1, $2, $3, $4) ON CONFLICT (sensor_id) DO UPDATE SET
                    raw_from = excluded.raw_from, hours_from = excluded.hours_from,
                    days_from = excluded.days_from";
    /// Where rows begin and end, blocks, hours, and days.
    BOUNDS = "SELECT
        (SELECT min(at) FROM readings WHERE sensor_id = $1),
        (SELECT max(at) FROM readings WHERE sensor_id = $1),
        (SELECT min(from_at) FROM reading_blocks WHERE sensor_id = $1),
        (SELECT upto_at FROM reading_blocks WHERE sensor_id = $1 ORDER BY from_at DESC LIMIT 1),
        (SELECT min(from_at) FROM reading_hours WHERE sensor_id = $1),
        (SELECT max(from_at) FROM reading_hours WHERE sensor_id = $1),
        (SELECT min(from_at) FROM reading_days WHERE sensor_id = $1),
        (SELECT max(from_at) FROM reading_days WHERE sensor_id = $1)";
    /// The next sensors, and how many days their readings are kept.
    NEXT_SENSORS = "SELECT sensor_id, raw_days, hourly_days, daily_days FROM sensors
                    WHERE sensor_id > $1 ORDER BY sensor_id LIMIT $2";

    /// A sensor whose readings are still to be taken away.
    GONE = "SELECT sensor_id FROM sensors_gone ORDER BY sensor_id LIMIT 1";
    /// Its oldest rows less: those that have at most `$2` older ones.
    FORGET_ROWS = "DELETE FROM readings WHERE sensor_id = $1 AND at <= coalesce(
                       (SELECT at FROM readings WHERE sensor_id = $1 ORDER BY at LIMIT 1 OFFSET $2),
                       (SELECT max(at) FROM readings WHERE sensor_id = $1))";
    /// Its oldest blocks less.
    FORGET_BLOCKS = "DELETE FROM reading_blocks WHERE sensor_id = $1 AND from_at <= coalesce(
                         (SELECT from_at FROM reading_blocks WHERE sensor_id = $1
                          ORDER BY from_at LIMIT 1 OFFSET $2),
                         (SELECT max(from_at) FROM reading_blocks WHERE sensor_id = $1))";
    /// Its oldest hours less.
    FORGET_HOURS = "DELETE FROM reading_hours WHERE sensor_id = $1 AND from_at <= coalesce(
                        (SELECT from_at FROM reading_hours WHERE sensor_id = $1
                         ORDER BY from_at LIMIT 1 OFFSET $2),
                        (SELECT max(from_at) FROM reading_hours WHERE sensor_id = $1))";
    /// Its oldest days less.
    FORGET_DAYS = "DELETE FROM reading_days WHERE sensor_id = $1 AND from_at <= coalesce(
                       (SELECT from_at FROM reading_days WHERE sensor_id = $1
                        ORDER BY from_at LIMIT 1 OFFSET $2),
                       (SELECT max(from_at) FROM reading_days WHERE sensor_id = $1))";
    /// Its ends less.
    FORGET_ENDS = "DELETE FROM sensor_ends WHERE sensor_id = $1";
    /// All of it was taken away.
    FORGOTTEN = "DELETE FROM sensors_gone WHERE sensor_id = $1";
}
