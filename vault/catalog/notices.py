"""SQL of notices: what was told to whom of a file that expires."""

# A row is made by who is about to tell it: with the key taken, nobody else does. Only while the file is there and
# expires when it was said to.
CLAIM = """INSERT INTO notices (recipient, file_id, expires_at, days, state, attempts, changed_at, try_at)
    SELECT :recipient, f.id, f.expires_at, :days, 'claimed', 1, :now, :stale FROM secure_files f
    WHERE f.id = :file AND f.expires_at = :expires_at
    ON CONFLICT (recipient, file_id, expires_at, days) DO NOTHING RETURNING attempts"""
CLAIM_AGAIN = """UPDATE notices SET state = 'claimed', attempts = attempts + 1, changed_at = :now, try_at = :stale
    WHERE recipient = :recipient AND file_id = :file AND expires_at = :expires_at AND days = :days
    AND state <> 'told' AND try_at <= :now RETURNING attempts"""
TOLD = """UPDATE notices SET state = 'told', changed_at = :now, error = NULL, failing_since = NULL,
    reference = :reference
    WHERE recipient = :recipient AND file_id = :file AND expires_at = :expires_at AND days = :days"""
FAILED = """UPDATE notices SET state = 'failed', changed_at = :now, error = :error, try_at = :try_at,
    failing_since = COALESCE(failing_since, CAST(:now AS TEXT))
    WHERE recipient = :recipient AND file_id = :file AND expires_at = :expires_at AND days = :days"""
# What earlier notices of this file left at the recipient, such as an issue's number.
REFERENCE = """SELECT reference FROM notices WHERE recipient = :recipient AND file_id = :file
    AND expires_at = :expires_at AND reference IS NOT NULL ORDER BY days DESC LIMIT 1"""
ATTEMPTS = """SELECT attempts FROM notices
    WHERE recipient = :recipient AND file_id = :file AND expires_at = :expires_at AND days = :days"""
# What is told already, or is not to be tried yet.
CLOSED = """SELECT file_id, expires_at, days FROM notices
    WHERE recipient = :recipient AND (state = 'told' OR try_at > :now)"""
PENDING = """SELECT n.recipient, p.full_path AS project, f.name, n.expires_at, n.days, n.state, n.attempts,
    n.changed_at, n.try_at, n.error
    FROM notices n JOIN secure_files f ON f.id = n.file_id JOIN projects p ON p.id = f.project_id
    WHERE n.state <> 'told' ORDER BY n.recipient, n.try_at, n.file_id"""
# One that is just being tried again is still among them.
FAILING = """SELECT recipient, COUNT(*) AS n, MIN(failing_since) AS since FROM notices
    WHERE state <> 'told' AND failing_since IS NOT NULL GROUP BY recipient ORDER BY recipient"""
