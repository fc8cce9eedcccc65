//! The statements of this service.

use bellwire_store::statements;

/// A statement that gives stations, with what is counted of their batteries; the rest of it follows.
macro_rules! station {
    ($rest:literal) => {
        concat!(
            "SELECT s.station_id, s.name, s.status,
                    (SELECT count(*) FROM batteries b WHERE b.station_id = s.station_id AND b.status = 'available'),
                    (SELECT count(*) FROM batteries b WHERE b.station_id = s.station_id AND b.status = 'booked')
             FROM stations s ",
            $rest
        )
    };
}

/// A statement that gives batteries; the rest of it follows.
macro_rules! battery {
    ($rest:literal) => {
        concat!("SELECT battery_id, station_id, name, model, status FROM batteries ", $rest)
    };
}

/// A statement that gives bookings; the rest of it follows.
macro_rules! booking {
    ($rest:literal) => {
        concat!(
            "SELECT booking_id, station_id, battery_id, user_id, status, expires_at FROM bookings ",
            $rest
        )
    };
}

statements! {
    /// A new station.
    INSERT_STATION = "INSERT INTO stations (station_id, name, status, created_at) VALUES ($1, $2, $3, $4)";
    /// A station, without what is counted.
    STATION_ROW = "SELECT station_id, name, status FROM stations WHERE station_id = $1";
    /// A station.
    STATION = station!("WHERE s.station_id = $1");
    /// Stations in the order of their numbers.
    STATIONS = station!("WHERE s.station_id > $1 ORDER BY s.station_id LIMIT $2");
    /// Another name and status.
    CHANGE_STATION = "UPDATE stations SET name = $2, status = $3 WHERE station_id = $1";
    /// Deletes a station.
    DELETE_STATION = "DELETE FROM stations WHERE station_id = $1";
    /// Deletes the batteries that are at a station.
    DELETE_BATTERIES = "DELETE FROM batteries WHERE station_id = $1";
    /// How many batteries of a station are what.
    COUNTS = "SELECT status, count(*) FROM batteries WHERE station_id = $1 GROUP BY status";

    /// A new battery.
    INSERT_BATTERY = "INSERT INTO batteries (battery_id, station_id, name, model, status)
                      VALUES ($1, $2, $3, $4, 'available')";
    /// A battery.
    BATTERY = battery!("WHERE battery_id = $1");
    /// The batteries of a station in the order of their numbers.
    BATTERIES = battery!("WHERE station_id = $1 AND battery_id > $2 ORDER BY battery_id LIMIT $3");
    /// The same of those that are so.
    BATTERIES_THAT_ARE = battery!(
        "WHERE station_id = $1 AND battery_id > $2 AND status = $4 ORDER BY battery_id LIMIT $3"
    );
    /// The largest number of a battery; null: there is none.
    LARGEST = "SELECT max(battery_id) FROM batteries";
    /// The lowest number after a battery's that no battery has.
    FIRST_GAP = "SELECT battery_id + 1 FROM batteries b
                 WHERE NOT EXISTS (SELECT 1 FROM batteries n WHERE n.battery_id = b.battery_id + 1)
                 ORDER BY battery_id LIMIT 1";
    /// A battery that was collected comes back, perhaps under another name.
    BRING_BACK = "UPDATE batteries SET station_id = $2, status = 'available',
                  name = $3, model = $4
                  WHERE battery_id = $1 AND station_id IS NULL";
    /// Takes a battery out of a station, if it is available.
    REMOVE = "DELETE FROM batteries WHERE battery_id = $1 AND station_id = $2 AND status = 'available'";
    /// Holds a battery, if it is available.
    HOLD = "UPDATE batteries SET status = 'booked'
            WHERE battery_id = $1 AND station_id = $2 AND status = 'available' RETURNING battery_id, name, model";
    /// Holds the available battery of a station that has the lowest number.
    HOLD_ANY = "UPDATE batteries SET status = 'booked'
                WHERE status = 'available' AND battery_id = (
                    SELECT battery_id FROM batteries WHERE station_id = $1 AND status = 'available'
                    ORDER BY battery_id LIMIT 1)
                RETURNING battery_id, name, model";
    /// Lets go of a battery.
    LET_GO = "UPDATE batteries SET status = 'available' WHERE battery_id = $1 AND status = 'booked'";
    /// Lets go of the batteries that are held at a station.
    LET_GO_AT = "UPDATE batteries SET status = 'available' WHERE battery_id IN (
                 SELECT battery_id FROM bookings WHERE station_id = $1 AND status IN ('confirmed', 'ready'))";
    /// Lets go of the batteries that are held for a user.
    LET_GO_FOR = "UPDATE batteries SET status = 'available' WHERE battery_id IN (
                  SELECT battery_id FROM bookings WHERE user_id = $1 AND status IN ('confirmed', 'ready'))";
    /// Somebody takes a battery along.
    TAKE_ALONG = "UPDATE batteries SET status = 'collected', station_id = NULL WHERE battery_id = $1";

    /// A new booking.
    INSERT_BOOKING = "INSERT INTO bookings (booking_id, station_id, battery_id, user_id, status, created_at, expires_at)
                      VALUES ($1, $2, $3, $4, 'confirmed', $5, $6)";
    /// A booking.
    BOOKING = booking!("WHERE booking_id = $1");
    /// Lists bookings from before this one, the newest first.
    BOOKINGS = booking!("WHERE booking_id < $1 ORDER BY booking_id DESC LIMIT $2");
    /// The same of those that are so.
    BOOKINGS_THAT_ARE =
        booking!("WHERE status = $3 AND booking_id < $1 ORDER BY booking_id DESC LIMIT $2");
    /// The same at a station.
    BOOKINGS_AT = booking!(
        "WHERE station_id = $4 AND status = $3 AND booking_id < $1 ORDER BY booking_id DESC LIMIT $2"
    );
    /// The same of a user, at all stations or at one.
    BOOKINGS_OF = booking!(
        "WHERE user_id = $4 AND status = $3 AND booking_id < $1 AND ($5 = 0 OR station_id = $5)
         ORDER BY booking_id DESC LIMIT $2"
    );
    /// Until when a live booking holds its battery; null: for as long as it takes.
    DEADLINE = "SELECT expires_at FROM bookings WHERE booking_id = $1 AND status IN ('confirmed', 'ready')";
    /// How many batteries a user holds.
    LIVE_COUNT = "SELECT count(*) FROM bookings WHERE user_id = $1 AND status IN ('confirmed', 'ready')";
    /// Which bookings hold batteries at a station, in the order of their numbers, and which batteries.
    LIVE_AT = "SELECT k.booking_id, k.user_id, b.name, b.model
               FROM bookings k JOIN batteries b ON b.battery_id = k.battery_id
               WHERE k.station_id = $1 AND k.status IN ('confirmed', 'ready') ORDER BY k.booking_id";
    /// Which bookings of a user do, and at which stations.
    LIVE_OF = "SELECT booking_id, station_id FROM bookings
               WHERE user_id = $1 AND status IN ('confirmed', 'ready') ORDER BY booking_id";
    /// A battery can be collected at once.
    READY = "UPDATE bookings SET status = 'ready' WHERE booking_id = $1 AND status = 'confirmed'";
    /// A booking ends, if it is live.
    END = "UPDATE bookings SET status = $2, ended_at = $3
           WHERE booking_id = $1 AND status IN ('confirmed', 'ready')";
    /// All bookings end that are live at a station.
    CANCEL_AT = "UPDATE bookings SET status = 'cancelled', ended_at = $2
                 WHERE station_id = $1 AND status IN ('confirmed', 'ready')";
    /// Forgets the live bookings of a user.
    FORGET_LIVE = "DELETE FROM bookings WHERE user_id = $1 AND status IN ('confirmed', 'ready')";
    /// The newest booking; null: there is none.
    NEWEST = "SELECT max(booking_id) FROM bookings";
    /// Forgets some bookings of a user, up to this one.
    FORGET_OF = "DELETE FROM bookings WHERE booking_id IN (
                 SELECT booking_id FROM bookings WHERE user_id = $1 AND booking_id <= $2 LIMIT $3)";
    /// Forgets some bookings that ended before this time.
    FORGET = "DELETE FROM bookings WHERE booking_id IN (
              SELECT booking_id FROM bookings WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)";
}
