//! The statements of this service.

use bellwire_store::statements;

/// A statement that gives users, everything but the password, with the columns in the order of `read::known`; the rest
/// of it follows.
macro_rules! user {
    ($rest:literal) => {
        concat!(
            "SELECT user_id, login, username, role, kind, email, scopes, disabled, created_at, updated_at, picture
             FROM users ",
            $rest
        )
    };
}

statements! {
    /// A new token.
    INSERT = "INSERT INTO tokens (token_id, jti, role, subject, scopes, generation, created_at, expires_at,
                                  user_id, follows, session)
              VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10)";
    /// The row a signed token points to, and its user.
    BY_JTI = "SELECT t.token_id, t.role, t.scopes, t.generation, t.expires_at, t.revoked_at, t.subject,
                     t.user_id, t.follows, u.role, u.scopes, u.generation, u.disabled, t.unused
              FROM tokens t LEFT JOIN users u ON u.user_id = t.user_id WHERE t.jti = $1";
    /// The row of an id, and its user.
    BY_ID = "SELECT t.token_id, t.role, t.scopes, t.generation, t.expires_at, t.revoked_at, t.subject,
                    t.user_id, t.follows, u.role, u.scopes, u.generation, u.disabled, t.unused
             FROM tokens t LEFT JOIN users u ON u.user_id = t.user_id WHERE t.token_id = $1";
    /// Whether the rights are still the ones a caller was let in with.
    GENERATION = "SELECT t.generation + coalesce(u.generation, 0)
                  FROM tokens t LEFT JOIN users u ON u.user_id = t.user_id
                  WHERE t.token_id = $1 AND t.revoked_at IS NULL AND t.expires_at > $2
                  AND (t.user_id IS NULL OR u.disabled = 0)";
    /// Other scopes.
    CHANGE = "UPDATE tokens SET scopes = $2, follows = 0, generation = generation + 1 WHERE token_id = $1";
    /// The end of a token.
    REVOKE = "UPDATE tokens SET revoked_at = $2, generation = generation + 1 WHERE token_id = $1 AND revoked_at IS NULL";
    /// Tokens, the newest first.
    LIST = "SELECT token_id, role, subject, scopes, session, created_at, expires_at, revoked_at FROM tokens
            WHERE created_at < $1 OR (created_at = $1 AND token_id < $2)
            ORDER BY created_at DESC, token_id DESC LIMIT $3";
    /// A token as lists show it.
    SHOW = "SELECT token_id, role, subject, scopes, session, created_at, expires_at, revoked_at FROM tokens
            WHERE token_id = $1";
    /// What a token signs itself with.
    JTI = "SELECT jti FROM tokens WHERE token_id = $1";
    /// The live sessions of a user.
    SESSIONS = "SELECT token_id FROM tokens WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
                AND session = 1 ORDER BY token_id";
    /// The live tokens of a user that have rights of their own.
    OWN_RIGHTS = "SELECT token_id FROM tokens WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
                  AND follows = 0 ORDER BY token_id";
    /// The oldest live sessions of a user beyond a number, one session aside.
    SESSIONS_BEYOND = "SELECT token_id FROM tokens WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
                       AND session = 1 AND token_id <> $3
                       ORDER BY created_at DESC, token_id DESC LIMIT 100 OFFSET $4";
    /// The end of all tokens of a user but one, or of all sessions alone.
    REVOKE_ALL = "UPDATE tokens SET revoked_at = $2, generation = generation + 1
                  WHERE user_id = $1 AND revoked_at IS NULL AND session >= $3 AND token_id <> $4";
    /// A later end.
    EXTEND = "UPDATE tokens SET expires_at = $2 WHERE token_id = $1 AND expires_at < $2";
    /// A token that came by pairing waits for its first use.
    UNUSED = "UPDATE tokens SET unused = 1 WHERE token_id = $1";
    /// Its first use.
    USED = "UPDATE tokens SET unused = 0 WHERE token_id = $1 AND unused = 1 RETURNING subject";
    /// What signs it until then.
    UNUSED_JTI = "SELECT jti, subject, created_at, expires_at FROM tokens
                  WHERE token_id = $1 AND unused = 1 AND revoked_at IS NULL AND expires_at > $2";
    /// Lists the live tokens of a client that are not newer than one of them.
    OLDER_OF_CLIENT = "SELECT token_id FROM tokens WHERE role = 'client' AND subject = $1 AND revoked_at IS NULL
                       AND expires_at > $2 AND token_id <> $3
                       AND created_at <= (SELECT one.created_at FROM tokens one WHERE one.token_id = $3)
                       ORDER BY token_id";
    /// The end of all tokens of a client.
    REVOKE_OF = "UPDATE tokens SET revoked_at = $2, generation = generation + 1
                 WHERE role = $3 AND subject = $1 AND revoked_at IS NULL";
    /// When the last of the next tokens ended.
    ENDED_UPTO = "SELECT max(expires_at) FROM (
                  SELECT expires_at FROM tokens WHERE expires_at > $1 AND expires_at <= $2
                  ORDER BY expires_at LIMIT $3) AS ended";
    /// Notes of tokens that they ended by themselves: as if they had been revoked when they did.
    END = "UPDATE tokens SET revoked_at = expires_at
           WHERE expires_at > $1 AND expires_at <= $2 AND revoked_at IS NULL";
    /// Forgets some tokens that ended long ago.
    FORGET = "DELETE FROM tokens WHERE token_id IN (
              SELECT token_id FROM tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)
              RETURNING token_id";
    /// Uses a ticket up, if it was not used.
    TICKET = "INSERT INTO tickets (ticket, expires_at) VALUES ($1, $2) ON CONFLICT (ticket) DO NOTHING";
    /// Forgets some tickets that ended.
    FORGET_TICKETS = "DELETE FROM tickets WHERE ticket IN (
                      SELECT ticket FROM tickets WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
    /// A new user.
    INSERT_USER = "INSERT INTO users (user_id, login, username, password, role, kind, email, scopes, disabled,
                                      generation, created_at, updated_at, picture)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 1, $9, $9, $10)";
    /// A user.
    USER = user!("WHERE user_id = $1");
    /// Users by id.
    USERS = user!("WHERE user_id > $1 ORDER BY user_id LIMIT $2");
    /// Houseworkers that are not shut out, by id.
    HOUSEWORKERS = user!("WHERE kind = 'houseworker' AND disabled = 0 AND user_id > $1 ORDER BY user_id LIMIT $2");
    /// The name of a user.
    USERNAME = "SELECT username FROM users WHERE user_id = $1";
    /// Whether a user is there, is not shut out, and is no admin.
    IS_PERSON = "SELECT user_id FROM users WHERE user_id = $1 AND disabled = 0 AND role = 'user'";
    /// How many users there are.
    COUNT_USERS = "SELECT count(*) FROM users";
    /// Users that are not shut out.
    ENABLED = "SELECT user_id FROM users WHERE disabled = 0 ORDER BY user_id";
    /// Admins that are not shut out.
    ENABLED_ADMINS = "SELECT user_id FROM users WHERE role = 'admin' AND disabled = 0 ORDER BY user_id";
    /// Who signs in by this name.
    BY_LOGIN = "SELECT user_id, password, disabled, generation FROM users WHERE login = $1";
    /// A user's password, and how often their rights changed.
    PASSWORD = "SELECT password, generation FROM users WHERE user_id = $1 AND disabled = 0";
    /// A changed user.
    UPDATE_USER = "UPDATE users SET login = $2, username = $3, role = $4, kind = $5, email = $6, scopes = $7,
                   disabled = $8, updated_at = $9, generation = generation + $10, picture = $11 WHERE user_id = $1";
    /// Another password.
    SET_PASSWORD = "UPDATE users SET password = $2, updated_at = $3, generation = generation + 1 WHERE user_id = $1";
    /// One user less.
    DELETE_USER = "DELETE FROM users WHERE user_id = $1";
    /// Another admin who can sign in.
    OTHER_ADMIN = "SELECT user_id FROM users WHERE role = 'admin' AND disabled = 0 AND password IS NOT NULL
                   AND user_id <> $1 LIMIT 1";
}
