"""A message as JSON for programs."""

import json
import re
from pathlib import Path

import pytest

from cronverifyd.model import AlertKind, NoticeKind
from cronverifyd.tell.document import document, encoded
from tests.tell.builders import alert, digest, failed, hostile, notice, recovered

PAGE = Path(__file__).parent.parent.parent / "docs" / "CHANNELS.md"


def keys(value):
    """Name all keys, those of inner objects with a dot before them."""
    for key, inner in value.items():
        yield key
        if isinstance(inner, dict):
            yield from (f"{key}.{each}" for each in keys(inner))


def test_a_failed_run_is_told_whole():
    assert document(failed(run="0f3a", host="web1", user="postgres", command="pg_dump app")) == {
        "v": 1,
        "type": "alert",
        "id": "a1",
        "kind": "opened",
        "severity": "critical",
        "good": False,
        "instance": "web1",
        "title": "db-backup failed",
        "summary": 'db-backup failed on web1: ended with status "failed" (exit code 1) at 03:00:04'
        ' after 4 s, expected "success" (due Tue 24 Nov 2026 03:00 CET (02:00 UTC))',
        "created_at": "2026-11-24T02:50:00+00:00",
        "may_repeat": False,
        "incident": "k3v7qd2m",
        "instead_of": None,
        "job": "db-backup",
        "verdict": "failed",
        "reason": 'ended with status "failed" (exit code 1) at 03:00:04 after 4 s,'
        ' expected "success"',
        "cause": None,
        "host_says": [],
        "slot": "2026-11-24T03:00:00+01:00",
        "deadline": "2026-11-24T03:50:00+01:00",
        "schedule": "0 3 * * *",
        "timezone": "Europe/Paris",
        "expected_status": "success",
        "owed": True,
        "found_late": False,
        "unheard": None,
        "opened_at": "2026-11-24T02:00:05+00:00",
        "closed_at": None,
        "slots": 1,
        "run": {
            "run": "0f3a",
            "started_at": "2026-11-24T02:00:00+00:00",
            "ended_at": "2026-11-24T02:00:04+00:00",
            "status": "failed",
            "exit_code": 1,
            "signal": None,
            "error": "pg_dump: connection refused",
            "duration_s": 4.2,
            "output_tail": "dumping app\npg_dump: error: connection to server failed\n",
            "host": "web1",
            "user": "postgres",
            "command": "pg_dump app",
        },
        "look": "cronverifyd why db-backup",
        "runbook": "https://wiki.example.com/db-backup?a=1&b=2",
    }


def test_a_slot_that_nothing_ran_for_has_no_run():
    told = document(alert())
    assert (told["verdict"], told["run"]) == ("missed", None)


def test_what_the_host_says_is_told():
    said = ("/var is full:\n\x1b[31m0 bytes are free", "load 0.3 on 2 CPUs")
    told = document(alert(cause="the disk of /var was full\u202e", host_says=said))
    assert told["cause"] == "the disk of /var was full"
    assert told["host_says"] == ["/var is full: 0 bytes are free", "load 0.3 on 2 CPUs"]


def test_every_kind_is_named_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `kind` \| of an alert.*$", page, re.MULTILINE)
    assert re.findall(r"`(\w+)`", row)[1:] == [*AlertKind, *NoticeKind, "digest"]


def test_a_recovery_is_good_and_says_when_it_closed():
    told = document(recovered())
    assert (told["kind"], told["good"]) == ("recovered", True)
    assert told["closed_at"] == "2026-11-25T02:20:05+00:00"


def test_a_notice_has_a_text_and_a_remedy_and_no_job():
    told = document(notice())
    assert (told["type"], told["kind"], told["incident"]) == ("notice", "rejected", None)
    assert told["text"].splitlines()[1] == "state/outcomes.jsonl, byte 190: no job"
    assert told["remedy"] == "look at state/rejected.jsonl"
    assert "job" not in told


def test_a_digest_holds_the_documents_of_its_parts():
    told = document(digest(failed(), notice()))
    assert (told["type"], told["kind"], told["count"]) == ("digest", "digest", 2)
    assert told["parts"] == [document(failed()), document(notice())]


def test_it_is_one_line_of_utf8():
    body = encoded(failed(error="für 🔴\nnext"))
    assert b"\n" not in body
    assert "für 🔴\\nnext".encode() not in body  # no run is named, so none is told
    assert "für 🔴\\nnext".encode() in encoded(failed(run="r", error="für 🔴\nnext"))
    assert json.loads(body) == document(failed(error="für 🔴\nnext"))


def test_nothing_of_a_jobs_text_would_steer_whoever_prints_it():
    def texts(value):
        for inner in value.values():
            yield from texts(inner) if isinstance(inner, dict) else [inner]

    told = document(hostile())
    for text in filter(lambda each: isinstance(each, str), texts(told)):
        assert {char for char in text if not char.isprintable()} <= {"\n"}
    assert told["run"]["error"].splitlines()[:2] == ["ab", "Bcc: evil@example.com"]
    assert told["run"]["run"] == "r Bcc: evil@example.com"


def test_of_a_long_output_the_end_is_kept():
    told = document(hostile())
    assert len(told["run"]["output_tail"]) == 16_384
    assert told["run"]["output_tail"].endswith("```\n.\nQUIT<@U1>\n")
    assert len(encoded(hostile())) < 40_000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("alert", failed(run="0f3a"), id="alert"),
        pytest.param("notice", notice(), id="notice"),
        pytest.param("digest", digest(), id="digest"),
    ],
)
def test_the_page_shows_every_key(name, message):
    pattern = rf'```json\n({{"v": 1,\n "type": "{name}".*?)```'
    (sample,) = re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert list(keys(json.loads(sample))) == list(keys(document(message)))
