"""How a message looks in Slack."""

import json
from datetime import UTC, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.model import AlertKind, Severity, Verdict
from cronverifyd.tell.slack import render
from tests.tell.builders import DEADLINE, SLOT, alert, failed, notice, recovered, utc

OVERRUN = {
    "verdict": Verdict.OVERRUN,
    "severity": Severity.WARNING,
    "reason": "still running 50 min after its start at 03:00:00, expected to end within 50 min",
    "started_at": utc("2026-11-24T02:00:00"),
}


def texts(message):
    """Give the text of each block, after holding the message to Slack's limits."""
    assert 0 < len(message["text"]) <= 3_000
    assert 0 < len(message["blocks"]) <= 50
    return [text_of(block) for block in message["blocks"]]


def text_of(block):
    if block["type"] == "context":
        assert 0 < len(block["elements"]) <= 10
        (element,) = block["elements"]
        return checked(element, "mrkdwn", 3_000)
    if block["type"] == "header":
        return checked(block["text"], "plain_text", 150)
    assert block["type"] == "section"
    return checked(block["text"], "mrkdwn", 3_000)


def checked(element, kind, most):
    assert element["type"] == kind
    assert 0 < len(element["text"]) <= most
    if kind == "mrkdwn":
        assert element["verbatim"] is True
    return element["text"]


def test_a_failed_run_is_told_whole():
    assert texts(render(failed())) == [
        "🔴 db-backup failed",
        (
            "*Due:* Tue 24 Nov 2026 03:00 CET (02:00 UTC)\n"
            "*Expected:* status success by 03:50 CET\n"
            '*Seen:* ended with status "failed" (exit code 1) at 03:00:04 after 4 s,'
            ' expected "success"\n'
            "*Error:* pg_dump: connection refused\n"
            "*Run:* exit code 1, took 4.2 s, started Tue 24 Nov 2026 03:00 CET"
        ),
        "```\ndumping app\npg_dump: error: connection to server failed\n```",
        (
            "*Since:* Tue 24 Nov 2026 03:00:05 CET, 1 bad slot\n"
            "*Look:* `cronverifyd why db-backup`\n"
            "*Runbook:* <https://wiki.example.com/db-backup?a=1&amp;b=2>"
        ),
        "incident k3v7qd2m on web1",
    ]


def test_its_notification_says_it_in_one_sentence():
    assert render(failed())["text"] == (
        '🔴 db-backup failed on web1: ended with status "failed" (exit code 1) at 03:00:04'
        ' after 4 s, expected "success" (due Tue 24 Nov 2026 03:00 CET (02:00 UTC))'
    )


def test_a_missed_run_has_no_run_to_tell_of():
    assert texts(render(alert())) == [
        "🔴 db-backup did not run",
        (
            "*Due:* Tue 24 Nov 2026 03:00 CET (02:00 UTC)\n"
            "*Expected:* status success by 03:50 CET\n"
            "*Seen:* no run for it ended by the deadline 03:50:00 and none for it is running"
        ),
        "*Since:* Tue 24 Nov 2026 03:50 CET, 1 bad slot\n*Look:* `cronverifyd why db-backup`",
        "incident k3v7qd2m on web1",
    ]


def test_an_overrun_says_since_when_it_runs():
    assert texts(render(alert(**OVERRUN)))[:2] == [
        "🟠 db-backup is taking too long",
        (
            "*Due:* Tue 24 Nov 2026 03:00 CET (02:00 UTC)\n"
            "*Expected:* status success by 03:50 CET\n"
            "*Seen:* still running 50 min after its start at 03:00:00,"
            " expected to end within 50 min\n"
            "*Run:* started Tue 24 Nov 2026 03:00 CET"
        ),
    ]


def test_a_recovery_looks_different_and_says_how_long_it_lasted():
    assert texts(render(recovered())) == [
        "✅ db-backup is well again",
        (
            "*Due:* Wed 25 Nov 2026 03:00 CET (02:00 UTC)\n"
            "*Expected:* status success by 03:50 CET\n"
            '*Seen:* ended with status "success" at 03:20:00 after 20 min\n'
            "*Run:* exit code 0, took 20 min"
        ),
        (
            "*Lasted:* 1 d 20 min (since Tue 24 Nov 2026 03:00:05 CET), 3 bad slots\n"
            "*Look:* `cronverifyd why db-backup`"
        ),
        "incident k3v7qd2m on web1",
    ]


def test_a_notice_quotes_what_it_is_about_and_says_what_to_do():
    assert texts(render(notice())) == [
        "🟠 2 lines of an outcome file were rejected",
        (
            "```\nstate/outcomes.jsonl, byte 120: not JSON\n"
            "state/outcomes.jsonl, byte 190: no job\n```"
        ),
        "*Try:* look at state/rejected.jsonl",
        "web1, Tue 24 Nov 2026 02:50 UTC",
    ]


def test_a_notice_without_text_or_remedy_still_passes():
    assert texts(render(notice(text="", remedy=""))) == [
        "🟠 2 lines of an outcome file were rejected",
        "web1, Tue 24 Nov 2026 02:50 UTC",
    ]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param({"found_late": True}, "found late", id="found late"),
        pytest.param({"may_repeat": True}, "may repeat", id="may repeat"),
    ],
)
def test_what_the_reader_must_know_of_the_message_stands_at_its_end(changed, says):
    assert says in texts(render(alert(**changed)))[-1]
    assert says not in texts(render(alert()))[-1]


def test_a_notice_may_repeat_too():
    assert "may repeat" in texts(render(notice(may_repeat=True)))[-1]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param({"signal": "SIGKILL"}, "*Run:* killed by SIGKILL", id="signal"),
        pytest.param({"exit_code": 0}, "*Run:* exit code 0", id="exit code 0"),
        pytest.param(
            {"timezone": "UTC", "slot": SLOT.astimezone(UTC)},
            "*Due:* Tue 24 Nov 2026 02:00 UTC\n",
            id="a job in UTC, told once",
        ),
        pytest.param(
            {"timezone": "Pacific/Auckland"},
            "*Due:* Tue 24 Nov 2026 15:00 NZDT (02:00 UTC)",
            id="a far zone",
        ),
        pytest.param(
            {"timezone": "America/New_York"},
            "*Due:* Mon 23 Nov 2026 21:00 EST (Tue 24 Nov 2026 02:00 UTC)",
            id="another day there",
        ),
        pytest.param(
            {"timezone": "Mars/Olympus", "slot": SLOT.fromisoformat("2026-11-24T03:00:00+01:00")},
            "*Due:* Tue 24 Nov 2026 03:00 UTC+01:00 (02:00 UTC)",
            id="a zone that the host has lost",
        ),
        pytest.param(
            {"deadline": DEADLINE + timedelta(days=1)},
            "by Wed 25 Nov 2026 03:50 CET",
            id="deadline on another day",
        ),
        pytest.param(
            {"slot": SLOT + timedelta(seconds=5)},
            "*Due:* Tue 24 Nov 2026 03:00:05 CET (02:00:05 UTC)",
            id="seconds",
        ),
    ],
)
def test_the_facts_say(changed, says):
    assert says in texts(render(alert(**changed)))[1] + "\n"


@pytest.mark.parametrize(
    ("runbook", "shown"),
    [
        pytest.param("https://w.example/a|b>c", "<https://w.example/a%7Cb%3Ec>", id="odd address"),
        pytest.param("wiki: db & co", "wiki: db &amp; co", id="words"),
        pytest.param("javascript:alert(1)", "javascript:alert(1)", id="another scheme"),
        pytest.param("https://w.example/\n<!here>", "&lt;!here&gt;", id="two lines"),
    ],
)
def test_a_runbook_is_a_link_only_where_it_is_an_address(runbook, shown):
    line = texts(render(alert(runbook=runbook)))[2].splitlines()[-1]
    assert line.startswith("*Runbook:* ")
    assert line.endswith(shown)


EVIL = (
    "``` <!channel> <!here> @everyone <@U024BE7LH> <#C01> <https://evil.example|Log in> "
    "https://evil.example &lt;!here&gt; \x1b[2J\u202e\x00 *✅ all well* \n"
)


@pytest.mark.parametrize(
    "field",
    ["reason", "error", "output_tail", "signal", "expected_status", "instance", "incident", "job"],
)
def test_nothing_of_a_jobs_text_is_obeyed(field):
    message = json.dumps(render(failed(**{field: EVIL * 40})), ensure_ascii=False)
    for token in ("<!", "<@", "<#", "@everyone", "https://evil", "\x1b", "\u202e", "\\u0000"):
        assert token not in message
    assert message.count("```") == 2


def test_nothing_of_a_notices_text_is_obeyed():
    message = json.dumps(render(notice(title=EVIL, text=EVIL * 40, remedy=EVIL)))
    assert "<!" not in message
    assert message.count("```") == 2


def test_a_line_of_a_jobs_own_cannot_pose_as_one_of_ours():
    facts = texts(render(failed(error="boom\n*Seen:* all is well")))[1]
    assert facts.count("\n") == 4
    assert "*Error:* boom *Seen:* all is well" in facts


HOSTILE = st.text(st.sampled_from("&<>`@ \nab🔴") | st.characters(), max_size=20).map(
    lambda text: text * 200
)


@settings(deadline=None)
@given(HOSTILE, st.sampled_from(AlertKind), st.sampled_from(Verdict), st.sampled_from(Severity))
def test_slacks_limits_hold_for_any_text(text, kind, verdict, severity):
    hostile = dict.fromkeys(
        ["job", "instance", "reason", "error", "output_tail", "signal", "expected_status"], text
    )
    hostile |= {"incident": text, "runbook": "https://" + text, "kind": kind}
    texts(render(failed(verdict=verdict, severity=severity, **hostile)))
    texts(render(notice(title=text or "x", text=text, remedy=text, severity=severity)))


def test_a_message_is_json():
    assert json.loads(json.dumps(render(failed(output_tail="\ud800")))) == render(
        failed(output_tail="")
    )
