//! The statements of this service.

use bellwire_store::statements;

/// A statement that gives conversations, `c`, with their columns in the order of `find::conversation_of`; the rest of
/// it follows.
macro_rules! conversation {
    ($rest:literal) => {
        concat!(
            "SELECT c.conversation_id, c.is_group, c.is_open, c.label, c.creator, c.first_label, c.last_number,
                 c.activity, c.successor, c.closed_offset, c.closed_seat",
            $rest
        )
    };
}

statements! {
    /// Adds a conversation.
    INSERT_CONVERSATION = "INSERT INTO conversations (conversation_id, is_group, is_open, label, digest, creator,
                               first_label, last_number, activity, created_at)
                           VALUES ($1, $2, 1, $3, $4, $5, $6, 0, $7, $8)";
    /// Reads a conversation.
    CONVERSATION = conversation!(" FROM conversations c WHERE c.conversation_id = $1");
    /// Finds the live conversation of a label.
    LIVE = conversation!(" FROM conversations c WHERE c.digest = $1 AND c.is_open = 1");
    /// Finds the conversation that was closed last with this label, of those in which a user has a seat.
    CLOSED_OF = conversation!(" FROM conversations c JOIN seats s ON s.conversation_id = c.conversation_id
                 WHERE c.digest = $1 AND c.is_open = 0 AND s.user_id = $2 AND s.left_at IS NULL
                 ORDER BY c.conversation_id DESC LIMIT 1");
    /// Lists the conversations that bore a label until then or later, the last first.
    BORE = "SELECT conversation_id FROM old_labels WHERE digest = $1 AND borne_until >= $2
            ORDER BY borne_until DESC, conversation_id DESC LIMIT 20";
    /// Until when a conversation bore the last of its labels of before.
    LAST_OLD_LABEL = "SELECT MAX(borne_until) FROM old_labels WHERE conversation_id = $1";
    /// Until when a label was borne last by a group that is deleted: to whoever bore it until then it leads no more.
    DELETED_WITH = "SELECT MAX(o.borne_until) FROM old_labels o
                    JOIN conversations c ON c.conversation_id = o.conversation_id
                    WHERE o.digest = $1 AND c.deleted_at IS NOT NULL";
    /// Notes that a conversation bore a label until now.
    INSERT_OLD_LABEL = "INSERT INTO old_labels (digest, conversation_id, borne_until) VALUES ($1, $2, $3)
                        ON CONFLICT (digest, conversation_id) DO UPDATE SET borne_until = excluded.borne_until";
    /// Gives a conversation another label.
    RELABEL = "UPDATE conversations SET label = $2, digest = $3 WHERE conversation_id = $1";
    /// Says who may kick and delete.
    SET_CREATOR = "UPDATE conversations SET creator = $2 WHERE conversation_id = $1";
    /// Counts a message, and gives its number.
    ONE_MORE = "UPDATE conversations SET last_number = last_number + 1, activity = $2 WHERE conversation_id = $1
                RETURNING last_number";
    /// Closes a conversation.
    CLOSE = "UPDATE conversations SET is_open = 0, closed_at = $2, closed_offset = $3, successor = $4,
                 closed_seat = $5
             WHERE conversation_id = $1";
    /// Closes a conversation that nobody is to read any more.
    DELETE = "UPDATE conversations SET is_open = 0, closed_at = $2, deleted_at = $2 WHERE conversation_id = $1";

    /// Adds a seat.
    INSERT_SEAT = "INSERT INTO seats (seat_id, conversation_id, user_id, first_number, read_number, joined_at)
                   VALUES ($1, $2, $3, $4, $5, $6)";
    /// Finds the seat that a user has in a conversation.
    SEAT = "SELECT seat_id, first_number, read_number FROM seats
            WHERE conversation_id = $1 AND user_id = $2 AND left_at IS NULL";
    /// Finds the conversation of a seat that a user has.
    SEATED = "SELECT conversation_id FROM seats WHERE seat_id = $1 AND user_id = $2 AND left_at IS NULL";
    /// Lists who has a seat in a conversation, by id.
    SEATED_IN = "SELECT user_id FROM seats WHERE conversation_id = $1 AND left_at IS NULL ORDER BY user_id";
    /// Finds who has been in a conversation for the longest time.
    LONGEST = "SELECT user_id FROM seats WHERE conversation_id = $1 AND left_at IS NULL ORDER BY seat_id LIMIT 1";
    /// Ends a seat.
    END_SEAT = "UPDATE seats SET left_at = $2 WHERE seat_id = $1";
    /// Ends all seats of a conversation.
    END_SEATS = "UPDATE seats SET left_at = $2 WHERE conversation_id = $1 AND left_at IS NULL";
    /// Whether a user has a seat.
    SEATED_ANYWHERE = "SELECT seat_id FROM seats WHERE user_id = $1 AND left_at IS NULL LIMIT 1";
    /// Notes up to which message a member has read.
    READ = "UPDATE seats SET read_number = $2 WHERE seat_id = $1 AND read_number < $2";
    /// Lists the seats that a user ever had in a conversation.
    SEATS_EVER = "SELECT seat_id FROM seats WHERE conversation_id = $1 AND user_id = $2 ORDER BY seat_id DESC LIMIT 100";
    /// Lists the seats that a user ever had in conversations that bore a label, and until when each did.
    SEATS_BY_OLD_LABEL = "SELECT s.seat_id, s.conversation_id, o.borne_until FROM old_labels o
                          JOIN seats s ON s.conversation_id = o.conversation_id
                          WHERE o.digest = $1 AND s.user_id = $2 ORDER BY s.seat_id DESC LIMIT 100";
    /// Lists the seats of a user in conversations that went on in this one by then.
    SEATS_BEFORE = "SELECT s.seat_id, s.conversation_id FROM seats s
                    JOIN conversations c ON c.conversation_id = s.conversation_id
                    WHERE c.successor = $1 AND s.user_id = $2 AND c.closed_at <= $3 ORDER BY s.seat_id DESC LIMIT 100";
    /// Lists the seats that a user still has in conversations that went on in this one.
    STILL_SEATED_BEFORE = "SELECT s.seat_id, s.conversation_id FROM seats s
                    JOIN conversations c ON c.conversation_id = s.conversation_id
                    WHERE c.successor = $1 AND s.user_id = $2 AND s.left_at IS NULL ORDER BY s.seat_id DESC LIMIT 100";
    /// Finds an open conversation in which a user has a seat from before this one, and the seat.
    OPEN_OF = "SELECT s.conversation_id, s.seat_id, s.first_number, s.read_number
               FROM seats s JOIN conversations c ON c.conversation_id = s.conversation_id
               WHERE s.user_id = $1 AND s.left_at IS NULL AND s.seat_id < $2 AND c.is_open = 1
               ORDER BY s.seat_id LIMIT 1";
    /// Ends all seats of a user from before this one.
    END_SEATS_OF = "UPDATE seats SET left_at = $3 WHERE user_id = $1 AND seat_id < $2 AND left_at IS NULL";

    /// Adds a message.
    INSERT_MESSAGE = "INSERT INTO messages (message_id, conversation_id, number, sender, sender_username, text, at,
                          client_message_id, sent_to)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// Finds a message by the id that its sender gave it.
    REPEATED = "SELECT message_id, conversation_id, text, at, sent_to FROM messages
                WHERE sender = $1 AND client_message_id = $2";
    /// Finds the number of a message of a conversation.
    NUMBER_OF = "SELECT number FROM messages WHERE message_id = $1 AND conversation_id = $2";
    /// Reads a message by its number.
    MESSAGE = "SELECT text, at FROM messages WHERE conversation_id = $1 AND number = $2";
    /// Lists messages of a conversation from before this number, down to that one, the newest first.
    MESSAGES = "SELECT message_id, sender, sender_username, text, at FROM messages
                WHERE conversation_id = $1 AND number < $2 AND number >= $3 ORDER BY number DESC LIMIT $4";

    /// Lists the conversations of a user that are open or not, with their seat in each, from behind this activity.
    ROOMS = conversation!(", s.seat_id, s.first_number, s.read_number
             FROM seats s JOIN conversations c ON c.conversation_id = s.conversation_id
             WHERE s.user_id = $1 AND s.left_at IS NULL AND c.is_open = $2 AND c.activity < $3
             ORDER BY c.activity DESC LIMIT $4");

    /// Notes that a user is here.
    CAME = "INSERT INTO online (user_id, told_at) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING";
    /// Notes that others are told of a user who is here, if that was not in the last second.
    TOLD = "UPDATE online SET told_at = $2 WHERE user_id = $1 AND (told_at <= $2 - 1000000 OR told_at > $2)";
    /// Notes that a user is gone.
    WENT = "DELETE FROM online WHERE user_id = $1";
    /// Finds whether a user is here.
    IS_ONLINE = "SELECT 1 FROM online WHERE user_id = $1";
    /// Lists who is here, by id, after this one.
    ONLINE = "SELECT user_id FROM online WHERE user_id > $1 ORDER BY user_id LIMIT $2";
    /// Lists everyone who is here.
    EVERYONE_ONLINE = "SELECT user_id FROM online ORDER BY user_id";
    /// Counts those who are here.
    COUNT_ONLINE = "UPDATE online_budget SET users = users + $1";
    /// Reads how many are here, and the purse.
    PURSE = "SELECT users, listeners, units, at FROM online_budget";
    /// Notes how many connections there are.
    SET_LISTENERS = "UPDATE online_budget SET listeners = $1";
    /// Writes the purse.
    SET_PURSE = "UPDATE online_budget SET units = $1, at = $2";

    /// Forgets some labels that were borne until before then.
    FORGET_OLD_LABELS = "DELETE FROM old_labels WHERE (digest, conversation_id) IN (
                         SELECT digest, conversation_id FROM old_labels WHERE borne_until < $1
                         ORDER BY borne_until LIMIT $2)";
    /// Finds a conversation that was deleted before then.
    DELETED = "SELECT conversation_id FROM conversations WHERE deleted_at < $1 ORDER BY conversation_id LIMIT 1";
    /// Takes some messages of a conversation away.
    DELETE_MESSAGES = "DELETE FROM messages WHERE message_id IN (
                       SELECT message_id FROM messages WHERE conversation_id = $1 ORDER BY number LIMIT $2)";
    /// Takes some seats of a conversation away.
    DELETE_SEATS = "DELETE FROM seats WHERE seat_id IN (
                    SELECT seat_id FROM seats WHERE conversation_id = $1 ORDER BY user_id LIMIT $2)";
    /// Takes some labels of a conversation away.
    DELETE_OLD_LABELS = "DELETE FROM old_labels WHERE (digest, conversation_id) IN (
                         SELECT digest, conversation_id FROM old_labels WHERE conversation_id = $1 LIMIT $2)";
    /// Takes a conversation away.
    DELETE_CONVERSATION = "DELETE FROM conversations WHERE conversation_id = $1";
}
