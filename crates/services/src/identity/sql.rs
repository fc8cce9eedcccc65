//! The statements of this service.

use bellwire_store::statements;

statements! {
    /// A new token.
    INSERT = "INSERT INTO tokens (token_id, jti, role, subject, scopes, generation, created_at, expires_at)
              VALUES ($1, $2, $3, $4, $5, 1, $6, $7)";
    /// The row a signed token points to.
    BY_JTI = "SELECT token_id, role, scopes, generation, expires_at, revoked_at FROM tokens WHERE jti = $1";
    /// The row of an id.
    BY_ID = "SELECT token_id, role, scopes, generation, expires_at, revoked_at FROM tokens WHERE token_id = $1";
    /// Whether the rights are still the ones a caller was let in with.
    GENERATION = "SELECT generation FROM tokens WHERE token_id = $1 AND revoked_at IS NULL AND expires_at > $2";
    /// Other scopes.
    CHANGE = "UPDATE tokens SET scopes = $2, generation = generation + 1 WHERE token_id = $1";
    /// The end of a token.
    REVOKE = "UPDATE tokens SET revoked_at = $2, generation = generation + 1 WHERE token_id = $1 AND revoked_at IS NULL";
    /// All tokens, the newest last.
    LIST = "SELECT token_id, role, subject, scopes, expires_at, revoked_at FROM tokens ORDER BY created_at, token_id";
}
