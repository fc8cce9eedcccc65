//! The statements of this service.

use bellwire_store::statements;

statements! {
    /// A new row.
    INSERT = "INSERT INTO states (state_id, entity_id, state, attributes, last_changed, last_updated)
              VALUES ($1, $2, $3, $4, $5, $6)";
    /// The newest row of an entity.
    NEWEST = "SELECT state_id, entity_id, state, attributes, last_changed, last_updated FROM states
              WHERE entity_id = $1 ORDER BY state_id DESC LIMIT 1";
    /// The row of an id.
    BY_ID = "SELECT state_id, entity_id, state, attributes, last_changed, last_updated FROM states
             WHERE state_id = $1";
    /// A changed row.
    UPDATE = "UPDATE states SET state = $2, attributes = $3, last_changed = $4, last_updated = $5 WHERE state_id = $1";
    /// One row less.
    DELETE = "DELETE FROM states WHERE state_id = $1";
    /// A whole entity less.
    REMOVE = "DELETE FROM states WHERE entity_id = $1";
    /// The first entity after this one in the order of ids.
    NEXT_ENTITY = "SELECT entity_id FROM states WHERE entity_id > $1 ORDER BY entity_id LIMIT 1";
    /// The rows of an entity before this one, the newest first.
    BEFORE = "SELECT state_id, entity_id, state, attributes, last_changed, last_updated FROM states
              WHERE entity_id = $1 AND state_id < $2 ORDER BY state_id DESC";
    /// Some rows, in the order in which they were made.
    ROWS = "SELECT state_id, entity_id, last_updated FROM states
            WHERE state_id > $1 ORDER BY state_id LIMIT $2";
    /// Takes a row away unless it is its entity's newest.
    PRUNE = "DELETE FROM states WHERE state_id = $1
             AND EXISTS (SELECT 1 FROM states newer WHERE newer.entity_id = $2 AND newer.state_id > $1)";
}
