"""`why`: the evidence behind each verdict."""

import os
from pathlib import Path

import pytest

from cronverifyd.model import Delivery, DeliveryResult
from tests.builders import at, finished, started
from tests.cli.place import BACKUP, instant, offset_of

NEXT = "     next  Thu 2024-05-16 03:00:00 +0000, deadline Thu 2024-05-16 04:05:00 +0000"


@pytest.mark.parametrize(
    ("looked", "lines", "said"),
    [
        pytest.param(
            "03:11",
            (started("03:00"), finished("03:10", exit_code=0)),
            'db-backup is ok: ended with status "success" at 03:10:00 after 10 min',
            id="ok",
        ),
        pytest.param(
            "04:31",
            (finished("04:30", started_at="03:00"),),
            'db-backup is late: ended with status "success" at 04:30:00 after 1 h 30 min,'
            " 25 min after the deadline",
            id="late",
        ),
        pytest.param(
            "03:11",
            (started("03:00"), finished("03:10", "failed", exit_code=3)),
            'db-backup is failed: ended with status "failed" (exit code 3) at 03:10:00'
            ' after 10 min, expected "success"',
            id="failed",
        ),
        pytest.param(
            "03:11",
            (started("03:00"), finished("03:10", "failed", signal="SIGSEGV")),
            'db-backup is failed: ended with status "failed" (killed by SIGSEGV) at 03:10:00'
            ' after 10 min, expected "success"',
            id="killed",
        ),
        pytest.param(
            "04:05",
            (started("03:00"),),
            "db-backup is overrun: still running 1 h 5 min after its start at 03:00:00,"
            " expected to end within 1 h 5 min",
            id="overrun",
        ),
        pytest.param(
            "04:05",
            (),
            (
                "db-backup is missed:"
                " no run for it ended by the deadline 04:05:00 and none for it is running"
            ),
            id="missed",
        ),
        pytest.param(
            "03:11",
            (started("03:00"),),
            "db-backup is pending: running since 03:00:00",
            id="running",
        ),
        pytest.param(
            "02:30",
            (),
            "db-backup is pending: no slot has been judged yet",
            id="nothing yet",
        ),
        pytest.param(
            "2024-05-14T13:00:00+00:00",
            (finished("2024-05-14T12:30:00+00:00", "failed"),),
            'db-backup is failed: ended with status "failed" at 12:30:00, expected "success"',
            id="by hand, and not due",
        ),
    ],
)
def test_the_first_sentence_says_the_verdict_and_its_reason(place, cli, looked, lines, said):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look(looked, *lines)
    done = cli("why", "db-backup", "--config", here.config, now="12:00")

    assert done.code == 0
    assert done.lines[0] == said
    assert NEXT in done.lines


def test_a_failure_is_told_with_all_that_is_known(place, cli):
    here = place(BACKUP + 'runbook = "https://wiki.example.com/db"\n')
    here.look("2024-05-13T12:00:00+00:00")
    here.look("2024-05-14T04:00:00+00:00", finished("2024-05-14T03:30:00+00:00", run_id="r0"))
    here.look(
        "03:11",
        started("03:00:02", user="postgres", host="web1", command="/usr/local/bin/backup"),
        finished(
            "03:10",
            "failed",
            exit_code=3,
            error="no space",
            duration_s=598.25,
            cpu_s=1.5,
            max_rss_kb=20480,
            metrics={"rows": 7},
            output_tail="dumping\nno space left\n",
        ),
    )
    done = cli("why", "db-backup", "--config", here.config, now="12:00")

    id_ = cli("why", "db-backup", "--json", "--config", here.config).json["evidence"][5]["text"][:8]
    assert done.lines[1:] == [
        "     slot  due Wed 2024-05-15 03:00:00 +0000, deadline Wed 2024-05-15 04:05:00 +0000",
        "           schedule 0 3 * * * (UTC), max_duration 1 h, grace 5 min",
        "  verdict  decided Wed 2024-05-15 03:11:00 +0000; looked at because of: file",
        (
            "      run  started Wed 2024-05-15 03:00:02 +0000, ended Wed 2024-05-15 03:10:00 +0000,"
            " after 9 min 58 s, status failed, exit code 3, CPU 1.5 s, memory at most 20 MB,"
            " as postgres, on web1"
        ),
        "           command: /usr/local/bin/backup",
        "           error: no space",
        "           metric rows = 7",
        "   output  dumping",
        "           no space left",
        "      row  last 2 slots: 1 failed, 1 ok",
        f" incident  {id_}, opened Wed 2024-05-15 03:11:00 +0000, 1 bad slot, open for 8 h 49 min",
        "     told  opened to ops: sent Wed 2024-05-15 03:11:00 +0000",
        "  last ok  ended Tue 2024-05-14 03:30:00 +0000, 1 d 8 h ago",
        NEXT,
        "  runbook  https://wiki.example.com/db",
    ]


def test_the_document_has_these_keys_and_no_others(place, cli):
    here = place(BACKUP + 'timezone = "Asia/Tokyo"\n')
    here.look("2024-05-14T12:00:00+00:00")
    at = "2024-05-14T18:10:00+00:00"
    here.look("2024-05-14T18:11:00+00:00", finished(at, "failed"))
    document = cli("why", "db-backup", "--json", "--config", here.config, now="12:00").json

    assert document.keys() == {"job", "slot", "verdict", "reason", "evidence", "runs", "alerts"}
    assert (document["job"], document["verdict"]) == ("db-backup", "failed")
    assert offset_of(document["slot"]) == "+09:00"
    assert all(piece.keys() == {"kind", "text"} for piece in document["evidence"])
    assert [piece["kind"] for piece in document["evidence"]] == [
        *("slot", "verdict", "run", "row", "incident", "told", "last ok", "next"),
    ]
    (run,), (alert,) = document["runs"], document["alerts"]
    history = cli("history", "db-backup", "--json", "--config", here.config).json
    assert run == history["slots"][0]["runs"][0]
    assert alert.keys() == {"channel", "kind", "state", "at"}
    assert (alert["channel"], alert["kind"], alert["state"]) == ("ops", "opened", "sent")
    assert instant(alert["at"]) == instant("2024-05-14T18:11:00+00:00")


def test_a_job_without_a_slot_has_the_same_keys(place, cli):
    here = place()
    here.look("02:00")
    document = cli("why", "db-backup", "--json", "--config", here.config, now="02:00").json

    assert document == {
        "job": "db-backup",
        "slot": None,
        "verdict": "pending",
        "reason": "no slot has been judged yet",
        "evidence": [
            {"kind": "schedule", "text": "schedule 0 3 * * * (UTC), max_duration 1 h, grace 5 min"},
            {"kind": "run", "text": "no line of the outcome files tells of a run for it"},
            {"kind": "last ok", "text": "never, as far as this database goes"},
            {
                "kind": "next",
                "text": "Wed 2024-05-15 03:00:00 +0000, deadline Wed 2024-05-15 04:05:00 +0000",
            },
        ],
        "runs": [],
        "alerts": [],
    }


def test_a_message_that_did_not_arrive_says_why_and_when_it_is_tried_again(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look(
        "04:06",
        delivery=Delivery(result=DeliveryResult.RETRY, error="timed out", retry_after_s=60.0),
    )
    done = cli("why", "db-backup", "--config", here.config, now="12:00")

    assert (
        "     told  opened to ops: failed (timed out, tried 1 time),"
        " next try Wed 2024-05-15 04:07:00 +0000" in done.lines
    )
    (alert,) = cli("why", "db-backup", "--json", "--config", here.config).json["alerts"]
    assert (alert["state"], alert["at"]) == ("failed", None)


def test_an_incident_that_is_over_says_so(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look("03:11", finished("03:10", "failed"))
    here.look("03:31", finished("03:30", run_id="r2"))
    told = cli("why", "db-backup", "--config", here.config, now="12:00").out

    assert ", 1 bad slot, healed Wed 2024-05-15 03:31:00 +0000\n" in told
    assert "     told  recovered to ops: sent Wed 2024-05-15 03:31:00 +0000\n" in told
    assert told.count("      run  ") == 2


def test_what_nobody_saw_when_it_happened_says_so(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look("12:00")
    told = cli("why", "db-backup", "--config", here.config, now="12:00").out

    assert "found late: it happened while nobody looked" in told


def test_a_disabled_job_can_still_be_asked_about(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
    here.look("03:11", finished("03:10", "failed"))
    here.configure(BACKUP + "enabled = false\n")
    here.look("11:00")
    done = cli("why", "db-backup", "--config", here.config, now="12:00")

    assert done.code == 0
    assert "     next  none: the job is disabled" in done.lines
    assert ", disabled Wed 2024-05-15 11:00:00 +0000" in done.out


# ---- what the host says, what was made, what nobody saw ------------------------------------------


def evidence(cli, here, kind):
    document = cli("why", "db-backup", "--json", "--config", here.config, now="12:00").json
    return [piece for piece in document["evidence"] if piece["kind"] == kind]


def test_of_a_run_that_is_under_way_it_says_whether_its_process_lives(place, cli):
    here = place(BACKUP)
    here.look("2024-05-14T12:00:00+00:00")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    facts = {"boot": boot, "host": os.uname().nodename, "pid": os.getpid()}
    here.look("03:01", started("03:00", pid_start=int(stat[19]), **facts))
    (alive,) = evidence(cli, here, "host")
    assert alive["text"] == f"process {os.getpid()} is running"

    here.look("03:02", started("03:00", "r2", pid_start=1, **facts))
    texts = [piece["text"] for piece in evidence(cli, here, "host")]
    assert any(text.startswith(f"process {os.getpid()} is gone") for text in texts)


def test_an_artifact_is_shown_with_what_was_found(place, cli, tmp_path):
    dump = tmp_path / "dump.gz"
    dump.write_bytes(b"")
    here = place(f'{BACKUP}[[jobs.db-backup.artifact]]\npath = "{dump}"\n')
    here.look("2024-05-14T12:00:00+00:00")
    os.utime(dump, (at("03:05").timestamp(),) * 2)
    here.look("03:11", started("03:00"), finished("03:10"))
    (made,) = evidence(cli, here, "artifact")
    assert made["holds"] is False
    assert made["text"] == (
        f"{dump} is empty (0 bytes, last written Wed 2024-05-15 03:05:00 +0000)"
    )


def test_a_hole_and_a_finding_are_shown(place, cli):
    here = place(BACKUP)
    here.look("2024-05-14T12:00:00+00:00")
    here.look("02:30", finished("2024-05-14T12:30:00+00:00", run_id="r0"))
    os.truncate(here.outcomes, 0)
    here.look("03:01")
    here.look("04:06")
    (hole,) = evidence(cli, here, "hole")
    assert "was truncated from" in hole["text"]
    good = [finished(f"04:5{n}", run_id=f"r{n}", started_at=f"04:5{n}") for n in (8, 9)]
    here.look("05:00", *good)
    (odd,) = evidence(cli, here, "odd")
    assert odd["text"].startswith("off_schedule Wed 2024-05-15 04:59:00 +0000: a run that started")
