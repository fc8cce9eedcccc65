//! The statements of this service.

use bellwire_store::statements;

statements! {
    /// One of this life of the database.
    FIND = "SELECT pid, sid, principal, namespace, topics, at, left_at, rooms FROM live_sessions
            WHERE pid = $1 AND epoch = $2";
    /// A new one, which is connected.
    INSERT = "INSERT INTO live_sessions (pid, sid, principal, namespace, topics, epoch, at, rooms)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// Some that ended longest ago of a principal who has more than so many of those.
    TRIM = "DELETE FROM live_sessions WHERE pid IN (
            SELECT pid FROM live_sessions WHERE principal = $1 AND left_at IS NOT NULL
            ORDER BY left_at DESC LIMIT 100 OFFSET $2)";
    /// Another connection goes on with it.
    CLAIM = "UPDATE live_sessions SET sid = $4, left_at = NULL
             WHERE pid = $1 AND sid = $2 AND topics = $3 AND rooms = $5";
    /// Other topics, or other rooms.
    LISTEN = "UPDATE live_sessions SET topics = $3, rooms = $4 WHERE pid = $1 AND sid = $2";
    /// Its connection ended.
    LEAVE = "UPDATE live_sessions SET left_at = $3 WHERE pid = $1 AND sid = $2";
    /// One that its client ended.
    FORGET = "DELETE FROM live_sessions WHERE pid = $1 AND sid = $2";
    /// The connections of some ended.
    LEAVE_ALL = "UPDATE live_sessions SET left_at = $1 WHERE pid IN (
                 SELECT pid FROM live_sessions WHERE left_at IS NULL LIMIT $2)";
    /// Forgets some whose connections ended long ago.
    PRUNE = "DELETE FROM live_sessions WHERE pid IN (
             SELECT pid FROM live_sessions WHERE left_at < $1 ORDER BY left_at LIMIT $2)";
}
