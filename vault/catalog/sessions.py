"""SQL of sessions: a browser that was shown a token once. The token decides all the while."""

ADD = """INSERT INTO sessions (digest, token_id, created_at, expires_at)
    SELECT :digest, t.id, :now, :expires_at FROM tokens t WHERE t.id = :token RETURNING token_id"""
TOKEN_OF = """SELECT t.id AS token_id, t.name AS token_name, t.scopes, t.expires_at, t.revoked, t.last_used_at,
    t.digest, u.* FROM sessions s JOIN tokens t ON t.id = s.token_id JOIN users u ON u.id = t.user_id
    WHERE s.digest = :digest AND s.expires_at > :now"""
END = "DELETE FROM sessions WHERE digest = :digest"
SWEEP = "DELETE FROM sessions WHERE expires_at <= :now"
"""Sessions that are over; few, and looked for only when one begins."""
