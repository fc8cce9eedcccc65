//! The statements of this service.

use bellwire_store::statements;

statements! {
    /// Adds an area.
    INSERT_AREA = "INSERT INTO areas (area_id, name, entity_ids, is_enabled, created_at, updated_at)
                   VALUES ($1, $2, $3, $4, $5, $5)";
    /// Writes a changed area.
    UPDATE_AREA = "UPDATE areas SET name = $2, entity_ids = $3, is_enabled = $4, updated_at = $5 WHERE area_id = $1";
    /// Deletes an area.
    DELETE_AREA = "DELETE FROM areas WHERE area_id = $1";
    /// Reads an area.
    AREA = "SELECT area_id, name, entity_ids, is_enabled, created_at, updated_at FROM areas WHERE area_id = $1";
    /// Lists areas by id.
    AREAS = "SELECT area_id, name, entity_ids, is_enabled, created_at, updated_at FROM areas
             WHERE area_id > $1 ORDER BY area_id LIMIT $2";
    /// Lists the areas of a client by id, whole.
    AREAS_OF = "SELECT a.area_id, a.name, a.entity_ids, a.is_enabled, a.created_at, a.updated_at
                FROM assignments s JOIN areas a ON a.area_id = s.area_id
                WHERE s.client_id = $1 AND s.upto_offset IS NULL AND s.area_id > $2 ORDER BY s.area_id LIMIT $3";
    /// Puts an entity into an area.
    INSERT_ENTITY = "INSERT INTO area_entities (entity_id, area_id) VALUES ($1, $2)";
    /// Takes all entities out of an area.
    DELETE_ENTITIES = "DELETE FROM area_entities WHERE area_id = $1";
    /// Lists the enabled areas that hold an entity.
    ENABLED_WITH = "SELECT e.area_id FROM area_entities e JOIN areas a ON a.area_id = e.area_id
                    WHERE e.entity_id = $1 AND a.is_enabled = 1 ORDER BY e.area_id";
    /// Finds whether an enabled area of a client holds an entity.
    READS = "SELECT 1 FROM area_entities e
             JOIN areas a ON a.area_id = e.area_id
             JOIN assignments s ON s.area_id = e.area_id
             WHERE e.entity_id = $1 AND a.is_enabled = 1 AND s.client_id = $2 AND s.upto_offset IS NULL LIMIT 1";
    /// Adds a client.
    INSERT_CLIENT = "INSERT INTO clients (client_id, name, created_at, online) VALUES ($1, $2, $3, 0)";
    /// Renames a client.
    RENAME_CLIENT = "UPDATE clients SET name = $2 WHERE client_id = $1";
    /// Notes since when a client has no access, if it had.
    REVOKE_CLIENT = "UPDATE clients SET revoked_at = $2 WHERE client_id = $1 AND revoked_at IS NULL";
    /// Gives a client its access back.
    ADMIT_CLIENT = "UPDATE clients SET revoked_at = NULL WHERE client_id = $1";
    /// Deletes a client.
    DELETE_CLIENT = "DELETE FROM clients WHERE client_id = $1";
    /// Reads a client.
    CLIENT = "SELECT client_id, name, online, last_seen, revoked_at FROM clients WHERE client_id = $1";
    /// Lists clients by id.
    CLIENTS = "SELECT client_id, name, online, last_seen, revoked_at FROM clients
               WHERE client_id > $1 ORDER BY client_id LIMIT $2";
    /// Notes that a client came or went.
    SEEN = "UPDATE clients SET online = $2, last_seen = $3, still_at = NULL WHERE client_id = $1";
    /// Notes that those who are online still are.
    SEEN_STILL = "UPDATE clients SET still_at = $1 WHERE online = 1";
    /// Notes that nobody is online, and gives who was, with when they were seen last.
    NOBODY_HERE = "UPDATE clients SET online = 0, last_seen = coalesce(still_at, last_seen), still_at = NULL
                   WHERE online = 1 RETURNING client_id, last_seen";
    /// Lists the entities in the enabled areas of a client, after this one.
    READABLE = "SELECT DISTINCT e.entity_id FROM assignments s
                JOIN areas a ON a.area_id = s.area_id
                JOIN area_entities e ON e.area_id = s.area_id
                WHERE s.client_id = $1 AND s.upto_offset IS NULL AND a.is_enabled = 1 AND e.entity_id > $2
                ORDER BY e.entity_id LIMIT $3";
    /// Gives a client an area.
    ASSIGN = "INSERT INTO assignments (client_id, area_id, from_offset) VALUES ($1, $2, $3)";
    /// Takes an area from a client.
    UNASSIGN = "UPDATE assignments SET upto_offset = $3
                WHERE client_id = $1 AND area_id = $2 AND upto_offset IS NULL";
    /// Takes an area from all clients.
    UNASSIGN_AREA = "UPDATE assignments SET upto_offset = $2 WHERE area_id = $1 AND upto_offset IS NULL";
    /// Forgets what was ever assigned to a client.
    FORGET_ASSIGNMENTS = "DELETE FROM assignments WHERE client_id = $1";
    /// Lists the ids of the areas that a client has.
    ASSIGNED = "SELECT area_id FROM assignments WHERE client_id = $1 AND upto_offset IS NULL ORDER BY area_id";
    /// Lists the clients that have an area.
    CLIENTS_OF = "SELECT client_id FROM assignments WHERE area_id = $1 AND upto_offset IS NULL ORDER BY client_id";
    /// Counts one client more of an area, and gives how many it has now.
    ONE_MORE = "INSERT INTO area_client_counts (area_id, clients) VALUES ($1, 1)
                ON CONFLICT (area_id) DO UPDATE SET clients = area_client_counts.clients + 1 RETURNING clients";
    /// Counts one client less of an area.
    ONE_LESS = "UPDATE area_client_counts SET clients = clients - 1 WHERE area_id = $1";
    /// Counts one client less of each area that a client has.
    ONE_LESS_OF_ALL = "UPDATE area_client_counts SET clients = clients - 1 WHERE area_id IN (
                       SELECT area_id FROM assignments WHERE client_id = $1 AND upto_offset IS NULL)";
    /// Forgets how many clients an area has.
    FORGET_COUNT = "DELETE FROM area_client_counts WHERE area_id = $1";

    /// Keeps an event that a client, or those with an area, are told.
    RECORD = "INSERT INTO area_events (log_offset, at, name, payload, area_id, client_id) VALUES ($1, $2, $3, $4, $5, $6)";
    /// Lists what a client was told after a place, the newest first.
    TOLD = "SELECT log_offset, at, name, payload FROM area_events WHERE client_id = $1 AND log_offset > $2
            UNION ALL
            SELECT e.log_offset, e.at, e.name, e.payload FROM assignments s
            JOIN area_events e ON e.area_id = s.area_id AND e.log_offset > s.from_offset
            AND (s.upto_offset IS NULL OR e.log_offset <= s.upto_offset)
            WHERE s.client_id = $1 AND e.log_offset > $2
            ORDER BY log_offset DESC LIMIT $3";
    /// Lists the same, the oldest first.
    TOLD_AFTER = "SELECT log_offset, at, name, payload FROM area_events WHERE client_id = $1 AND log_offset > $2
                  UNION ALL
                  SELECT e.log_offset, e.at, e.name, e.payload FROM assignments s
                  JOIN area_events e ON e.area_id = s.area_id AND e.log_offset > s.from_offset
                  AND (s.upto_offset IS NULL OR e.log_offset <= s.upto_offset)
                  WHERE s.client_id = $1 AND e.log_offset > $2
                  ORDER BY log_offset LIMIT $3";
    /// Forgets what a client was told in person.
    FORGET_EVENTS_OF = "DELETE FROM area_events WHERE client_id = $1";
    /// Reads the place up to which events were forgotten.
    FORGOTTEN_UPTO = "SELECT upto_offset FROM area_events_forgotten";
    /// Moves the place up to which events were forgotten.
    FORGOT = "UPDATE area_events_forgotten SET upto_offset = $1";
    /// Finds the place up to which to forget: a slice from the beginning, and not beyond the oldest events that are
    /// past their time.
    OLD_EVENTS = "SELECT max(log_offset) FROM (
                  SELECT log_offset FROM area_events WHERE log_offset <= (
                  SELECT max(log_offset) FROM (
                  SELECT log_offset FROM area_events WHERE at < $1 ORDER BY at LIMIT $2) AS oldest)
                  ORDER BY log_offset LIMIT $2) AS first";
    /// Forgets events up to a place.
    FORGET_EVENTS = "DELETE FROM area_events WHERE log_offset <= $1";
    /// Forgets some assignments that ended before all events that are known.
    FORGET_SPANS = "DELETE FROM assignments WHERE (client_id, area_id, upto_offset) IN (
                    SELECT client_id, area_id, upto_offset FROM assignments
                    WHERE upto_offset <= (SELECT upto_offset FROM area_events_forgotten)
                    ORDER BY upto_offset LIMIT $1)";

    /// Adds a pairing that waits.
    INSERT_PAIRING = "INSERT INTO pairings (pairing_id, device_code_digest, user_code, name, client_id, status, created_at, expires_at)
                      VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7)";
    /// Finds a pairing by the digest of its device code.
    BY_DEVICE_CODE = "SELECT pairing_id, user_code, name, client_id, status, created_at, expires_at, asked_at, decided_at, token_id
                      FROM pairings WHERE device_code_digest = $1";
    /// Finds a pairing by the code that its screen shows.
    BY_USER_CODE = "SELECT pairing_id, user_code, name, client_id, status, created_at, expires_at, asked_at, decided_at, token_id
                    FROM pairings WHERE user_code = $1";
    /// Lists the pairings that wait.
    WAITING = "SELECT pairing_id, user_code, name, client_id, status, created_at, expires_at, asked_at, decided_at, token_id
               FROM pairings WHERE status = 'pending' AND decided_at IS NULL AND expires_at > $1 AND pairing_id > $2
               ORDER BY pairing_id LIMIT $3";
    /// Counts the pairings that wait.
    WAITING_LEN = "SELECT count(*) FROM pairings WHERE status = 'pending' AND decided_at IS NULL AND expires_at > $1";
    /// Notes when the screen asked last.
    ASKED = "UPDATE pairings SET asked_at = $2 WHERE pairing_id = $1";
    /// Notes what an admin decided about a pairing.
    DECIDED = "UPDATE pairings SET status = $2, decided_at = $3, client_id = $4, token_id = $5 WHERE pairing_id = $1";
    /// Notes of some pairings that their time was over before anybody decided.
    END_PAIRINGS = "UPDATE pairings SET decided_at = expires_at WHERE pairing_id IN (
                    SELECT pairing_id FROM pairings
                    WHERE expires_at <= $1 AND status = 'pending' AND decided_at IS NULL LIMIT $2)";
    /// Forgets some pairings that are over.
    FORGET_PAIRINGS = "DELETE FROM pairings WHERE pairing_id IN (
                       SELECT pairing_id FROM pairings WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
    /// Reads how many codes somebody gave that no screen has shown, and since when.
    MISSES = "SELECT misses, since FROM pairing_misses WHERE principal = $1";
    /// Notes how many those are by now.
    MISSED = "INSERT INTO pairing_misses (principal, misses, since) VALUES ($1, $2, $3)
              ON CONFLICT (principal) DO UPDATE SET misses = excluded.misses, since = excluded.since";
    /// Forgets some wrong codes that are long over.
    FORGET_MISSES = "DELETE FROM pairing_misses WHERE principal IN (
                     SELECT principal FROM pairing_misses WHERE since < $1 ORDER BY since LIMIT $2)";
}
