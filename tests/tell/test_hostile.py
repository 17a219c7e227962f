"""Whatever a job prints: no channel obeys it, and no message breaks a limit of Slack's."""

import json
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.model import AlertKind, Mail, Severity, Verdict
from cronverifyd.tell import console, mail, slack
from cronverifyd.tell.document import encoded
from cronverifyd.tell.redact import cleaned
from tests.tell.builders import alert, digest, failed
from tests.tell.hostile_text import TEXTS, alert_of, alerts_of, many, notice_of, notices_of
from tests.tell.limits import RUNBOOK, broken, obeyed, strings, unsafe

MAIL = Mail(to=("ops@example.com",), sender="cron@web1.example.com")
MEGABYTE = "<!channel> ``` \x1b[31m\u202e& https://e.example \ud800\n" * 25_000


def held(message):
    """Hold a message, before and after it is cleaned, to all that is promised."""
    for said in (message, cleaned(message)):
        in_slack(said)
        on_a_terminal(said)
        in_json(said)


def in_slack(message):
    payload = slack.render(message)
    assert broken(payload) == []
    assert obeyed(payload) == []
    assert json.loads(json.dumps(payload).encode()) == payload


def on_a_terminal(message):
    shown = console.render(message)
    assert not unsafe(shown)
    sign, *lines = shown.splitlines()
    assert sign.startswith("[")
    assert all(line.startswith("  ") for line in lines)


def in_json(message):
    """A webhook's body, and what a command reads."""
    body = encoded(message)
    assert b"\n" not in body
    assert not [text for text in strings(json.loads(body.decode())) if unsafe(text)]


def in_mail(message):
    letter = message_from_bytes(mail.render(message, MAIL).as_bytes(), policy=policy.default)
    assert letter.get_content_type() == "text/plain"
    assert letter.defects == []
    assert letter["Subject"].isprintable()
    assert letter["To"] == "ops@example.com"
    assert not unsafe(letter.get_content())


@pytest.mark.parametrize("text", TEXTS)
def test_an_alert_of_any_kind_shows_it_and_obeys_nothing(text):
    for message in alerts_of(text):
        in_slack(message)
        on_a_terminal(message)
    held(message)
    in_mail(message)


@pytest.mark.parametrize("text", TEXTS)
def test_a_notice_of_any_kind_shows_it_and_obeys_nothing(text):
    for message in notices_of(text):
        held(message)
        in_mail(message)


@pytest.mark.parametrize("text", TEXTS)
def test_a_digest_shows_it_and_obeys_nothing(text):
    message = digest(alert_of(text), notice_of(text), instance=text)
    held(message)
    in_mail(message)


def test_where_it_says_that_all_is_well_the_message_does_not():
    for field in ("reason", "error", "output_tail", "status", "command"):
        payload = slack.render(failed(**{field: "✅ RESOLVED: db-backup is well again"}))
        assert payload["text"].startswith("🔴 db-backup failed on web1: ")
        assert payload["blocks"][0]["text"]["text"] == "🔴 db-backup failed"


def test_a_megabyte_is_cut():
    told = cleaned(failed(output_tail=MEGABYTE, error=MEGABYTE, run="r1", runbook=RUNBOOK))
    payload = slack.render(told)
    assert len(MEGABYTE) > 1 << 20
    assert broken(payload) == obeyed(payload) == []
    assert len(json.dumps(payload)) < 12_000
    assert len(console.render(told)) < 5_000
    assert len(encoded(told)) < 50_000


# ---- many together


def of_its_own(number):
    return f"the disk of {number} is full"


@pytest.mark.parametrize("count", [2, 40, 500])
@pytest.mark.parametrize(
    ("text", "changed"),
    [
        pytest.param("short", {"cause": lambda _: None}, id="short"),
        pytest.param("x" * 200, {"cause": lambda _: None}, id="long"),
        pytest.param("<!channel> & ```" * 20, {"cause": lambda _: None}, id="hostile"),
        pytest.param("x" * 200, {}, id="one cause"),
        pytest.param("&" * 200, {"cause": lambda n: of_its_own(n // 2)}, id="a cause for each two"),
        pytest.param("<" * 200, {"cause": lambda n: of_its_own(n // 90)}, id="some causes"),
    ],
)
def test_many_together_are_a_message_that_slack_takes(count, text, changed):
    message = digest(*many(count, text, **changed))
    in_slack(message)
    assert broken(slack.render(message, 10_000), 10_000) == []


def test_many_together_are_written_for_programs_and_people():
    message = digest(*many(500, "\x1b[31m<!channel>\u202e\ud800 " * 10))
    on_a_terminal(message)
    in_json(message)
    in_mail(message)


def jobs_named(*names):
    return digest(*(alert(job=name, incident=f"i{n:07}") for n, name in enumerate(names)))


def test_500_jobs_with_names_as_people_give_them_are_all_named():
    names = [f"nightly-backup-{number:03}" for number in range(500)]
    text = "\n".join(strings(slack.render(jobs_named(*names))["blocks"]))
    assert [name for name in names if name not in text] == []
    assert " more" not in text


@pytest.mark.parametrize("most", [10_000, 40_000])
def test_what_a_message_has_no_room_for_is_counted(most):
    names = [f"{'a-job-with-a-long-name-' * 4}{number:03}" for number in range(500)]
    text = "\n".join(strings(slack.render(jobs_named(*names), most)["blocks"]))
    named = sum(name in text for name in names)
    assert 30 < named < 500
    assert "500 things not well on web1" in text
    assert f"\n*Also:* and {500 - named} more" in text
    assert "cronverifyd status" in text


TEXT = st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "&",
            "`",
            "```",
            "@here",
            "<!",
            "://",
            "\n",
            "\x1b[",
            "\u202e",
            "\ud800",
            "*",
            "_",
        ]
    )
    | st.characters(),
    max_size=30,
).map("".join)


@settings(deadline=None, max_examples=60)
@given(
    TEXT,
    st.integers(1, 300),
    st.sampled_from(AlertKind),
    st.sampled_from(Verdict),
    st.sampled_from(Severity),
)
def test_any_text_is_shown_and_not_obeyed(text, times, kind, verdict, severity):
    given_text = text * times
    held(alert_of(given_text, kind=kind, verdict=verdict, severity=severity))
    held(notice_of(given_text, severity=severity))
