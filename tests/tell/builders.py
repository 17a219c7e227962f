"""Alerts and notices to tell, each with only what a test varies."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronverifyd.model import Alert, AlertKind, Digest, Notice, NoticeKind, Severity, Verdict

PARIS = ZoneInfo("Europe/Paris")
SLOT = datetime(2026, 11, 24, 3, 0, tzinfo=PARIS)
DEADLINE = SLOT + timedelta(minutes=50)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def alert(**changed):
    given = {
        "id": "a1",
        "incident": "k3v7qd2m",
        "kind": AlertKind.OPENED,
        "job": "db-backup",
        "instance": "web1",
        "severity": Severity.CRITICAL,
        "verdict": Verdict.MISSED,
        "reason": "no run for it ended by the deadline 03:50:00 and none for it is running",
        "slot": SLOT,
        "deadline": DEADLINE,
        "schedule": "0 3 * * *",
        "timezone": "Europe/Paris",
        "expected_status": "success",
        "opened_at": utc("2026-11-24T02:50:00"),
        "slots": 1,
        "created_at": utc("2026-11-24T02:50:00"),
    }
    return Alert(**(given | changed))


def failed(**changed):
    given = {
        "verdict": Verdict.FAILED,
        "reason": 'ended with status "failed" (exit code 1) at 03:00:04 after 4 s,'
        ' expected "success"',
        "status": "failed",
        "exit_code": 1,
        "duration_s": 4.2,
        "started_at": utc("2026-11-24T02:00:00"),
        "ended_at": utc("2026-11-24T02:00:04"),
        "error": "pg_dump: connection refused",
        "output_tail": "dumping app\npg_dump: error: connection to server failed\n",
        "runbook": "https://wiki.example.com/db-backup?a=1&b=2",
        "opened_at": utc("2026-11-24T02:00:05"),
    }
    return alert(**(given | changed))


def recovered(**changed):
    given = {
        "kind": AlertKind.RECOVERED,
        "verdict": Verdict.OK,
        "reason": 'ended with status "success" at 03:20:00 after 20 min',
        "slot": SLOT + timedelta(days=1),
        "deadline": DEADLINE + timedelta(days=1),
        "exit_code": 0,
        "duration_s": 1200.0,
        "slots": 3,
        "opened_at": utc("2026-11-24T02:00:05"),
        "closed_at": utc("2026-11-25T02:20:05"),
    }
    return alert(**(given | changed))


def notice(**changed):
    given = {
        "id": "n1",
        "kind": NoticeKind.REJECTED,
        "instance": "web1",
        "severity": Severity.WARNING,
        "title": "2 lines of an outcome file were rejected",
        "text": "state/outcomes.jsonl, byte 120: not JSON\nstate/outcomes.jsonl, byte 190: no job",
        "remedy": "look at state/rejected.jsonl",
        "created_at": utc("2026-11-24T02:50:00"),
    }
    return Notice(**(given | changed))


def hostile(**changed):
    """Tell of a job that tries to write headers, to steer terminals and to call people."""
    given = {
        "run": "r\r\nBcc: evil@example.com",
        "reason": "ended\r\nBcc: evil@example.com\r\n\r\nnot ours",
        "error": "a\x1b[2J\u202eb\nBcc: evil@example.com\n.\n<!channel> @everyone http://evil.example",
        "output_tail": "x\x00y\ud800\n" * 250_000 + "```\n.\r\nQUIT\x1b]0;t\x07\u2066<@U1>\n",
        "command": "sh -c '\x07\n'",
    }
    return failed(**(given | changed))


def digest(*parts, **changed):
    given = {
        "id": "d1",
        "instance": "web1",
        "severity": Severity.CRITICAL,
        "created_at": utc("2026-11-24T02:50:00"),
        "parts": parts or (failed(), notice()),
    }
    return Digest(**(given | changed))
