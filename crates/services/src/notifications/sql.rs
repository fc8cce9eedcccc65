//! The statements of this service.

use bellwire_store::statements;

statements! {
    /// A new notification.
    INSERT = "INSERT INTO notifications (notification_id, user_id, kind, title, message, level, at, is_read, from_user,
                                         booking_id, station_name, battery_info)
              VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11)";
    /// Counts one notification more of a user, and gives how many these are now.
    ONE_MORE = "INSERT INTO inboxes (user_id, notifications) VALUES ($1, 1)
                ON CONFLICT (user_id) DO UPDATE SET notifications = inboxes.notifications + 1
                RETURNING notifications";
    /// Counts one notification less of a user.
    ONE_LESS = "UPDATE inboxes SET notifications = notifications - 1 WHERE user_id = $1";
    /// Takes away the oldest notification of a user.
    DROP_OLDEST = "DELETE FROM notifications WHERE notification_id = (
                   SELECT notification_id FROM notifications WHERE user_id = $1 ORDER BY notification_id LIMIT 1)";
    /// Lists the notifications of a user from before this one, the newest first.
    LIST = "SELECT notification_id, user_id, kind, title, message, level, at, is_read, from_user,
                   booking_id, station_name, battery_info
            FROM notifications
            WHERE user_id = $1 AND notification_id < $2 ORDER BY notification_id DESC LIMIT $3";
    /// Notes that a user has read a notification of theirs.
    READ_ONE = "UPDATE notifications SET is_read = 1 WHERE notification_id = $1 AND user_id = $2 AND is_read = 0";
    /// Notes that a user has read all of theirs.
    READ_ALL = "UPDATE notifications SET is_read = 1 WHERE user_id = $1 AND is_read = 0";
    /// Forgets some notifications that are past their time, and gives whose they were.
    FORGET = "DELETE FROM notifications WHERE notification_id IN (
              SELECT notification_id FROM notifications WHERE at < $1 ORDER BY at LIMIT $2) RETURNING user_id";
    /// Forgets all notifications of a user.
    FORGET_OF_USER = "DELETE FROM notifications WHERE user_id = $1";
    /// Forgets how many a user has.
    FORGET_INBOX = "DELETE FROM inboxes WHERE user_id = $1";
}
