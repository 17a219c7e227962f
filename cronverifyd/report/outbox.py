"""What was sent to whom, and what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cronverifyd.model import OutboxRow
    from cronverifyd.store.reader import Reader


def alerts(reader: Reader, count: int, *, undelivered: bool) -> dict[str, Any]:
    """Describe the newest messages, newest first; `undelivered`: those that reached nobody."""
    rows = reader.outbox_rows(count, undelivered=undelivered)
    return {"alerts": [_document(row) for row in rows]}


def _document(row: OutboxRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "incident": row.incident,
        "job": row.job,
        "kind": row.kind,
        "channel": row.channel,
        "state": row.state,
        "tries": row.tries,
        "created_at": row.created_at.isoformat(),
        "next_try": row.next_try.isoformat() if row.next_try else None,
        "sent_at": row.sent_at.isoformat() if row.sent_at else None,
        "receipt": row.receipt,
        "error": row.error,
    }
