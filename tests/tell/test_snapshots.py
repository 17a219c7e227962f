"""Each kind of message, as people see it: the file of its name in `snapshots` shows it."""

from pathlib import Path

import pytest

from cronverifyd.model import AlertKind, NoticeKind, Severity, Verdict
from cronverifyd.tell import console, slack
from cronverifyd.tell.redact import cleaned
from tests.tell.builders import alert, digest, failed, notice, recovered, utc
from tests.tell.limits import broken

SNAPSHOTS = Path(__file__).with_name("snapshots")
SAYS = {
    Verdict.MISSED: {},
    Verdict.FAILED: {},
    Verdict.OVERRUN: {
        "reason": "still running 50 min after its start at 03:00:00, expected to end within 50 min",
        "started_at": utc("2026-11-24T02:00:00"),
    },
    Verdict.INTERRUPTED: {
        "reason": "started at 03:00:00, then the host was rebooted",
        "started_at": utc("2026-11-24T02:00:00"),
        "found_late": True,
    },
    Verdict.UNMET: {
        "reason": "metric.rows >= 1 does not hold: rows is 0",
        "exit_code": 0,
        "duration_s": 4.2,
        "output_tail": "exported 0 rows\n",
    },
    Verdict.ARTIFACT: {
        "reason": "/backups/db-24.sql.gz has 20 bytes, expected at least 10 MB",
        "exit_code": 0,
        "duration_s": 61.0,
        "severity": Severity.WARNING,
    },
}
NOTICES = {
    NoticeKind.REJECTED: {},
    NoticeKind.CONFIG: {
        "title": "the configuration was not taken over",
        "text": 'config.toml:12: jobs.db-backup.grace: must be positive (got "-5m")',
        "remedy": "mend it; the last good one stays in force",
    },
    NoticeKind.FINDING: {
        "title": "db-backup: duplicate",
        "text": "a second run at 03:10:00 for the slot of 03:00, which had its good run",
        "remedy": "look whether two crontabs start it",
    },
    NoticeKind.BLIND: {
        "severity": Severity.CRITICAL,
        "title": "cannot see what jobs wrote",
        "text": "state/outcomes.jsonl: Permission denied\nconcerns db-backup, invoice-gen",
        "remedy": "make it readable",
        "incident": "b2x9",
    },
    NoticeKind.SIGHTED: {
        "severity": Severity.INFO,
        "title": "what jobs wrote can be seen again",
        "text": "state/outcomes.jsonl",
        "remedy": "",
        "incident": "b2x9",
    },
    NoticeKind.CRON_DEAD: {
        "severity": Severity.CRITICAL,
        "title": "cron is not running",
        "text": "no cron has been running since 02:00:10 UTC; no job of its crontabs is started",
        "remedy": "systemctl status cron; systemctl start cron",
        "incident": "c4r7",
    },
    NoticeKind.CRON_BACK: {
        "severity": Severity.CRITICAL,
        "title": "cron is running again",
        "text": "2 slots are owed:\ndb-backup, due 2026-11-24T03:00:00+01:00\n"
        "invoice-gen, due 2026-11-24T03:30:00+01:00",
        "remedy": "start by hand what is owed",
        "incident": "c4r7",
    },
    NoticeKind.CUEAPI_LOST: {
        "title": "CueAPI has stopped triggering this host",
        "text": "its last trigger came at 02:00; jobs are checked by the local timer",
        "remedy": "cronverifyd doctor",
        "incident": "q8w1",
    },
    NoticeKind.CUEAPI_BACK: {
        "title": "CueAPI triggers this host again",
        "text": "a trigger came at 02:50",
        "remedy": "",
        "incident": "q8w1",
    },
    NoticeKind.UNMUTED: {
        "severity": Severity.INFO,
        "title": "the mute of db-backup is over: it swallowed 2 messages",
        "text": "02:00 db-backup failed\n02:20 db-backup is well again",
        "remedy": "what is not well by now is told again; cronverifyd status shows all",
    },
    NoticeKind.DRILL: {
        "severity": Severity.INFO,
        "title": "DRILL: alerts of web1 arrive here; nothing is wrong",
        "text": "the run of the drill was recorded, read and judged in 0.2 s",
        "remedy": "",
    },
}
WEEKLY = {"title": "Weekly drill: alerts of web1 arrive here", "text": "", "remedy": ""}
CAUSE = "the disk of /var/lib has been full since 02:58 UTC"
TOGETHER = [
    alert(job=f"job-{number}", incident=f"inc{number}", cause=CAUSE if number else None)
    for number in range(4)
]
MESSAGES = {
    **{
        f"opened-{verdict}": (failed if verdict is Verdict.FAILED else alert)(
            verdict=verdict, **changed
        )
        for verdict, changed in SAYS.items()
    },
    "reminded": failed(kind=AlertKind.REMINDED, slots=3),
    "flapping": failed(kind=AlertKind.FLAPPING),
    "recovered": recovered(),
    "recovered-unheard": recovered(
        unheard="failed: ended with exit code 1", found_late=True, instead_of="ops"
    ),
    "caused": alert(
        cause=CAUSE,
        host_says=("/var/lib: 0 bytes of 20 GB free", "load 0.3 on 2 CPUs"),
        may_repeat=True,
    ),
    "ran-undue": failed(owed=False, severity=Severity.WARNING),
    "notice-drill-weekly": notice(kind=NoticeKind.DRILL, severity=Severity.INFO, **WEEKLY),
    "digest": digest(failed(), notice(), recovered(incident="other", job="invoice-gen")),
    "digest-good": digest(recovered(), notice(kind=NoticeKind.SIGHTED, title="seen again")),
    "digest-unheard": digest(
        recovered(unheard="failed: ended with exit code 1", may_repeat=True), notice()
    ),
    "digest-cause": digest(*TOGETHER, may_repeat=True),
    "digest-crowd": digest(
        *(failed(job=f"job-{number:03}", incident=f"inc{number:03}") for number in range(40))
    ),
    "hostile": failed(error="``` <!channel> \u202e\x1b[2J", output_tail="<@U1>\n```\nRESOLVED\n"),
    "secret": failed(
        error="cannot reach postgres://app:hunter2@db/app",
        output_tail="> Authorization: Bearer abcdef0123\nDB_PASSWORD='correct horse' psql\n",
    ),
    **{f"notice-{kind}": notice(kind=kind, **changed) for kind, changed in NOTICES.items()},
}


def shown(message):
    """Lay a message out for reading: Slack's blocks, then the console's lines."""
    payload = slack.render(message)
    lines = ["---- Slack", f"[notification] {payload['text']}"]
    for block in payload["blocks"]:
        parts = block.get("elements") or [block["text"]]
        lines += [f"[{block['type']}]", *(part["text"] for part in parts)]
    return "\n".join([*lines, "---- console", console.render(message)])


def test_there_is_a_snapshot_of_each_kind_of_message():
    assert {f"opened-{verdict}" for verdict in Verdict if verdict.bad} <= MESSAGES.keys()
    assert {str(kind) for kind in AlertKind if kind is not AlertKind.OPENED} <= MESSAGES.keys()
    assert {f"notice-{kind}" for kind in NoticeKind} <= MESSAGES.keys()
    assert {file.stem for file in SNAPSHOTS.glob("*.txt")} == MESSAGES.keys()


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_looks_as_its_snapshot(name):
    """To have a snapshot written anew, delete its file: the test fails once, then look at it."""
    file, told = SNAPSHOTS / f"{name}.txt", shown(cleaned(MESSAGES[name]))
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(told, encoding="utf-8")
        pytest.fail(f"{file} was absent; look at what has been written")
    assert told == file.read_text(encoding="utf-8")
    assert broken(slack.render(MESSAGES[name])) == []
