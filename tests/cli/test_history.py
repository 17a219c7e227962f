"""`history`: a job's slots and runs, newest first."""

import os

import pytest

from tests.builders import finished, started
from tests.cli.place import instant, offset_of

SLOT = {
    "slot",
    "deadline",
    "verdict",
    "reason",
    "owed",
    "decided_at",
    "found_late",
    "triggered_by",
    "starts",
    "quiet",
    "runs",
}
RUN = {
    "run",
    "started_at",
    "ended_at",
    "status",
    "exit_code",
    "signal",
    "error",
    "duration_s",
    "cpu_s",
    "max_rss_kb",
    "metrics",
    "output_tail",
    "output_bytes",
    "output_lines",
    "user",
    "host",
    "command",
    "lost_at",
    "loss",
    "artifacts",
    "writer_uid",
    "spoofed",
}
PARIS = '[jobs.db-backup]\nschedule = "0 3 * * *"\ntimezone = "Europe/Paris"\n'


def test_the_document_has_these_keys_and_no_others(place, cli):
    here = place()
    here.look("2024-05-14T12:00:00+00:00")
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
            output_tail="no space left\n",
            output_bytes=14,
            output_lines=1,
        ),
    )
    document = cli("history", "db-backup", "--json", "--config", here.config).json

    (slot,) = document["slots"]
    (run,) = slot.pop("runs")
    assert document.keys() == {"job", "slots"}
    assert document["job"] == "db-backup"
    assert slot == {
        "slot": "2024-05-15T03:00:00+00:00",
        "deadline": "2024-05-15T04:05:00+00:00",
        "verdict": "failed",
        "reason": 'ended with status "failed" (exit code 3) at 03:10:00 after 9 min 58 s,'
        ' expected "success"',
        "owed": True,
        "decided_at": "2024-05-15T03:11:00+00:00",
        "found_late": False,
        "triggered_by": "file",
        "starts": 1,
        "quiet": False,
    }
    assert run.pop("writer_uid") in {os.getuid(), None}  # None: this umask lets others write
    assert run == {
        "run": "r1",
        "started_at": "2024-05-15T03:00:02+00:00",
        "ended_at": "2024-05-15T03:10:00+00:00",
        "status": "failed",
        "exit_code": 3,
        "signal": None,
        "error": "no space",
        "duration_s": 598.25,
        "cpu_s": 1.5,
        "max_rss_kb": 20480,
        "metrics": {"rows": 7},
        "output_tail": "no space left\n",
        "output_bytes": 14,
        "output_lines": 1,
        "user": "postgres",
        "host": "web1",
        "command": "/usr/local/bin/backup",
        "lost_at": None,
        "loss": None,
        "artifacts": [],
        "spoofed": False,
    }


def test_slots_without_runs_have_the_same_keys(place, cli):
    here = place(PARIS)
    here.look("2024-05-12T12:00:00+00:00")
    here.look("12:00", finished("2024-05-14T01:05:00+00:00"))
    slots = cli("history", "db-backup", "--json", "--config", here.config).json["slots"]

    assert [slot["verdict"] for slot in slots] == ["missed", "ok", "missed"]
    assert [slot["found_late"] for slot in slots] == [True, False, True]
    assert [len(slot["runs"]) for slot in slots] == [0, 1, 0]
    for slot in slots:
        assert slot.keys() == SLOT
        assert offset_of(slot["slot"]) == offset_of(slot["deadline"]) == "+02:00"
        instant(slot["decided_at"])
        for run in slot["runs"]:
            assert run.keys() == RUN
            assert run["metrics"] == {}


@pytest.mark.parametrize(
    ("option", "days"),
    [
        pytest.param((), range(15, -5, -1), id="20 are shown"),
        pytest.param(("-n", "2"), (15, 14), id="2 are shown"),
        pytest.param(("-n", "100"), range(15, -10, -1), id="more than there are"),
    ],
)
def test_n_says_how_many_newest_first(place, cli, option, days):
    here = place()
    here.look("2024-04-20T12:00:00+00:00")
    here.look("12:00")
    done = cli("history", "db-backup", *option, "--json", "--config", here.config)

    shown = [instant(slot["slot"]) for slot in done.json["slots"]]
    newest = instant("2024-05-15T03:00:00+00:00")
    assert [15 - (newest - at).days for at in shown] == list(days)


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_count_that_is_none_is_2(place, cli, count):
    done = cli("history", "db-backup", "-n", count, "--config", place().config)

    assert done.code == 2
    assert done.err.startswith("cronverifyd: Invalid value for '-n'")


def test_the_table_has_a_line_a_run_and_the_reason_beside_it(place, cli):
    here = place()
    here.look("2024-05-13T12:00:00+00:00")
    here.look("2024-05-14T04:06:00+00:00")
    here.look("03:05", started("03:00:01"), finished("03:05", "failed", signal="SIGKILL"))
    here.look("03:21", started("03:20", run_id="r2"), finished("03:21", run_id="r2"))
    done = cli("history", "db-backup", "--config", here.config)

    assert done.code == 0
    assert [" ".join(line.split()) for line in done.lines] == [
        "SLOT VERDICT STARTED TOOK STATUS EXIT REASON",
        (
            '2024-05-15 03:00 ok 03:20 1 min success - ended with status "success" at 03:21:00'
            " after 1 min, started 20 min late"
        ),
        "03:00:01 4 min 59 s failed SIGKILL",
        (
            "2024-05-14 03:00 missed - - - -"
            " no run for it ended by the deadline 04:05:00 and none for it is running"
        ),
    ]


def test_a_job_without_a_slot_says_so(place, cli):
    here = place()
    here.look("02:00")
    done = cli("history", "db-backup", "--config", here.config)

    assert (done.code, done.out) == (0, "db-backup: no slot has been judged yet\n")
    assert cli("history", "db-backup", "--json", "--config", here.config).json == {
        "job": "db-backup",
        "slots": [],
    }
