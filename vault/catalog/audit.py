"""SQL of the audit log: how far each chain was when last looked at, and its lines as events."""

from __future__ import annotations

HEADS = "SELECT * FROM audit_heads ORDER BY chain"
HEAD = "SELECT * FROM audit_heads WHERE chain = :chain"
ADD_HEAD = """INSERT INTO audit_heads (chain, host, seq, hash, first_seq, first_prev, updated_at)
    VALUES (:chain, :host, 0, :genesis, 1, :genesis, :now) ON CONFLICT (chain) DO NOTHING"""
MOVE_HEAD = "UPDATE audit_heads SET seq = :seq, hash = :hash, updated_at = :now WHERE chain = :chain AND seq <= :seq"
# What stood before was removed because it was old enough.
CUT_CHAIN = "UPDATE audit_heads SET first_seq = :first, first_prev = :prev WHERE chain = :chain"
FORGET_CHAIN = "DELETE FROM audit_heads WHERE chain = :chain"

ADD_EVENT = """INSERT INTO audit_events (chain, seq, created_at, actor, author_id, token_id, ip, action, target,
      entity_type, entity_id, status, request_id, times)
    VALUES (:chain, :seq, :time, :actor, COALESCE((SELECT id FROM users WHERE username_key = :actor_key), -1),
      :token_id, :ip, :action, :target, :entity_type, :entity_id, :status, :request_id, :times)"""
FORGET_EVENTS = """DELETE FROM audit_events WHERE id IN
    (SELECT id FROM audit_events WHERE created_at < :before ORDER BY created_at, id LIMIT :limit) RETURNING id"""

# 0 stands for any author and any entity: those have no such number.
_FILTER = "e.created_at >= :after AND e.created_at <= :before AND (:author = 0 OR e.author_id = :author)"
_NAMED = """FROM audit_events e LEFT JOIN users u ON u.id = e.author_id
    LEFT JOIN projects p ON p.id = e.entity_id AND e.entity_type = 'Project'"""
_EVENT = "SELECT e.*, u.name AS author_name, u.email AS author_email, p.full_path AS project_path"
_OF_ENTITY = f"WHERE e.entity_type = :entity_type AND e.entity_id = :entity_id AND {_FILTER}"
_OF_ANY = f"""WHERE (CAST(:entity_type AS TEXT) IS NULL OR e.entity_type = :entity_type)
    AND (:entity_id = 0 OR e.entity_id = :entity_id) AND {_FILTER}"""
_PAGE = "ORDER BY e.id DESC LIMIT :size OFFSET :offset"
_COUNT = "SELECT COUNT(*) AS n FROM audit_events e"
EVENTS_OF_ENTITY = f"{_EVENT} {_NAMED} {_OF_ENTITY} {_PAGE}"
EVENTS_OF_ENTITY_COUNT = f"{_COUNT} {_OF_ENTITY}"
EVENTS = f"{_EVENT} {_NAMED} {_OF_ANY} {_PAGE}"
EVENTS_COUNT = f"{_COUNT} {_OF_ANY}"
EVENT = f"{_EVENT} {_NAMED} WHERE e.id = :id"
