//! The statements of devices and sensors; those of readings as they are kept are in `history`.

use bellwire_store::statements;

statements! {
    /// A new device.
    INSERT_DEVICE = "INSERT INTO devices (device_id, name, active, status_at, set_at, created_at)
                     VALUES ($1, $2, $3, $4, $5, $4)";
    /// A device.
    DEVICE = "SELECT device_id, name, active, status_at FROM devices WHERE device_id = $1";
    /// Devices in the order of their numbers.
    DEVICES = "SELECT device_id, name, active, status_at FROM devices
               WHERE device_id > $1 ORDER BY device_id LIMIT $2";
    /// Another name.
    RENAME_DEVICE = "UPDATE devices SET name = $2 WHERE device_id = $1";
    /// What it is from now on.
    SET_STATUS = "UPDATE devices SET active = $2, status_at = $3, set_at = $4 WHERE device_id = $1";
    /// All its sensors count as heard then.
    SET_AT = "UPDATE devices SET set_at = $2 WHERE device_id = $1";
    /// One device less.
    DELETE_DEVICE = "DELETE FROM devices WHERE device_id = $1";
    /// When all sensors of a device have been silent for their time; null without sensors.
    DEADLINE = "SELECT max(CASE WHEN coalesce(l.heard_at, 0) > coalesce(d.set_at, 0) THEN l.heard_at
                           ELSE coalesce(d.set_at, 0) END + s.silence_s * 1000000)
                FROM devices d JOIN sensors s ON s.device_id = d.device_id
                LEFT JOIN sensor_latest l ON l.sensor_id = s.sensor_id WHERE d.device_id = $1";
    /// There if one of its sensors was ever heard.
    IS_HEARD = "SELECT 1 FROM sensors s JOIN sensor_latest l ON l.sensor_id = s.sensor_id
                WHERE s.device_id = $1 AND l.heard_at IS NOT NULL LIMIT 1";
    /// A new sensor.
    INSERT_SENSOR = "INSERT INTO sensors (sensor_id, device_id, sensor_type, unit, silence_s, alarm, raw_days,
                     hourly_days, daily_days, entity_id, created_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    /// A changed one.
    UPDATE_SENSOR = "UPDATE sensors SET sensor_type = $2, unit = $3, silence_s = $4, alarm = $5, raw_days = $6,
                     hourly_days = $7, daily_days = $8 WHERE sensor_id = $1";
    /// A sensor.
    SENSOR = "SELECT sensor_id, device_id, sensor_type, unit, silence_s, alarm, raw_days, hourly_days, daily_days,
              entity_id FROM sensors WHERE sensor_id = $1";
    /// Sensors in the order of their numbers.
    SENSORS = "SELECT sensor_id, device_id, sensor_type, unit, silence_s, alarm, raw_days, hourly_days, daily_days,
               entity_id FROM sensors WHERE sensor_id > $1 ORDER BY sensor_id LIMIT $2";
    /// Those of a device.
    SENSORS_OF = "SELECT sensor_id, device_id, sensor_type, unit, silence_s, alarm, raw_days, hourly_days,
                  daily_days, entity_id FROM sensors
                  WHERE device_id = $1 AND sensor_id > $2 ORDER BY sensor_id LIMIT $3";
    /// How many sensors a device has.
    SENSOR_COUNT = "SELECT count(*) FROM sensors WHERE device_id = $1";
    /// One sensor less,
    DELETE_SENSOR = "DELETE FROM sensors WHERE sensor_id = $1";
    /// with what its readings came to;
    DELETE_LATEST = "DELETE FROM sensor_latest WHERE sensor_id = $1";
    /// its readings go later.
    GONE = "INSERT INTO sensors_gone (sensor_id) VALUES ($1)";
    /// Whether they are still to go.
    IS_GOING = "SELECT sensor_id FROM sensors_gone WHERE sensor_id = $1";
    /// What is known of a sensor.
    KNOWN = "SELECT s.sensor_id, s.device_id, d.name, d.active, s.sensor_type, s.unit, s.alarm,
             s.entity_id, s.created_at, l.at, l.value, l.stamped, l.changed_at, l.heard_at, l.alarm, l.alarm_at
             FROM sensors s JOIN devices d ON d.device_id = s.device_id
             LEFT JOIN sensor_latest l ON l.sensor_id = s.sensor_id WHERE s.sensor_id = $1";
    /// The same of those that have been heard, in the order of their numbers.
    ALL_KNOWN = "SELECT s.sensor_id, s.device_id, d.name, d.active, s.sensor_type, s.unit, s.alarm,
                 s.entity_id, s.created_at, l.at, l.value, l.stamped, l.changed_at, l.heard_at, l.alarm, l.alarm_at
                 FROM sensors s JOIN devices d ON d.device_id = s.device_id
                 JOIN sensor_latest l ON l.sensor_id = s.sensor_id
                 WHERE s.sensor_id > $1 ORDER BY s.sensor_id LIMIT $2";
    /// The same of all sensors of a device.
    KNOWN_OF = "SELECT s.sensor_id, s.device_id, d.name, d.active, s.sensor_type, s.unit, s.alarm,
                s.entity_id, s.created_at, l.at, l.value, l.stamped, l.changed_at, l.heard_at, l.alarm, l.alarm_at
                FROM sensors s JOIN devices d ON d.device_id = s.device_id
                LEFT JOIN sensor_latest l ON l.sensor_id = s.sensor_id
                WHERE s.device_id = $1 ORDER BY s.sensor_id";
    /// The same of an entity.
    KNOWN_AS = "SELECT s.sensor_id, s.device_id, d.name, d.active, s.sensor_type, s.unit, s.alarm,
                s.entity_id, s.created_at, l.at, l.value, l.stamped, l.changed_at, l.heard_at, l.alarm, l.alarm_at
                FROM sensors s JOIN devices d ON d.device_id = s.device_id
                LEFT JOIN sensor_latest l ON l.sensor_id = s.sensor_id WHERE s.entity_id = $1";
    /// The first entity after this one in the order of ids.
    NEXT_ENTITY = "SELECT entity_id FROM sensors WHERE entity_id > $1 ORDER BY entity_id LIMIT 1";
    /// What readings changed.
    KEEP_LATEST = "INSERT INTO sensor_latest (sensor_id, at, value, stamped, changed_at, heard_at, alarm, alarm_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                   ON CONFLICT (sensor_id) DO UPDATE SET at = $2, value = $3, stamped = $4, changed_at = $5,
                   heard_at = $6, alarm = $7, alarm_at = $8";
}
