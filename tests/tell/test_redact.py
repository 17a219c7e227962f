"""Secrets are taken out before any channel tells anything."""

import json
import time
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd import wrap
from cronverifyd.model import Alert, Delivery, DeliveryResult, Notice
from cronverifyd.tell import console, redact, slack
from cronverifyd.tell.redact import Redacting, cleaned, redacted
from cronverifyd.tell.text import plain
from tests.redaction import BODY, CASES, KEY, R, innocent_lines, payloads, secrets_of
from tests.tell.builders import digest, failed, notice

TOKEN = "ghp_" + "aB3" * 12
BY_LOOKS = [secret for secret in secrets_of("told by its looks") if not secret.env]


@pytest.mark.parametrize(("text", "left"), CASES)
def test_what_looks_like_a_secret_is_taken_out(text, left):
    assert redacted(text) == plain(text if left is None else left)


def test_the_wrapper_has_the_same_patterns():
    assert [pattern for _, pattern in wrap.SHAPES] == list(redact.SHAPES)
    assert (wrap.KEY_MARK, wrap.KEY_LINE) == (redact.KEY_MARK, redact.KEY_LINE)
    assert wrap.REDACTED == redact.REDACTED


@pytest.mark.parametrize(("text", "left"), CASES)
def test_to_look_twice_changes_nothing(text, left):
    assert redacted(redacted(text)) == redacted(text)


def test_of_seeded_secrets_none_is_left():
    left = [s for s in BY_LOOKS if any(n in redacted(s.text) for n in s.needles)]
    assert len(BY_LOOKS) == 250
    assert left == []


def test_innocent_lines_are_left_alone():
    changed = [line for line in innocent_lines("innocent", 10_000) if redacted(line) != line]
    assert changed == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"\x1b[1mghp_\x1b[0m{TOKEN[4:]}", id="a colour within"),
        pytest.param("\u200b".join(TOKEN), id="invisible characters"),
        pytest.param("\x00".join(TOKEN), id="controls"),
        pytest.param(f"\x1b[36mAuthorization\x1b[0m: \x1b[1mBearer {TOKEN}", id="a header"),
    ],
)
def test_what_the_terminal_hides_does_not_hide_a_secret(text):
    assert TOKEN[4:] not in plain(redacted(text))


def texts_of(message):
    """Name the fields that hold, or may hold, text that is not ours."""
    kinds = {part.name: part.type for part in fields(message)}
    ours = {"id", "incident"}
    return [name for name, kind in kinds.items() if kind.startswith("str") and name not in ours]


@pytest.mark.parametrize("field", texts_of(Alert))
def test_every_text_of_an_alert_is_cleaned(field):
    alert = cleaned(failed(**{field: f"x {TOKEN} y"}))
    assert getattr(alert, field) == f"x {R} y"


@pytest.mark.parametrize("field", texts_of(Notice))
def test_every_text_of_a_notice_is_cleaned(field):
    assert getattr(cleaned(notice(**{field: f"x {TOKEN} y"})), field) == f"x {R} y"


def test_what_the_host_says_is_cleaned():
    said = ("/srv/x is full: https://app:hunter2@db/x", "load 0.3 on 2 CPUs")
    told = cleaned(failed(host_says=said))
    assert told.host_says == ("/srv/x is full: https://[redacted]@db/x", "load 0.3 on 2 CPUs")


def test_the_texts_are_more_than_a_few():
    assert {"reason", "error", "output_tail", "command", "status"} < {*texts_of(Alert)}
    assert {"title", "text", "remedy"} < {*texts_of(Notice)}


def test_the_parts_of_a_digest_are_cleaned():
    told = cleaned(digest(failed(error=TOKEN), notice(text=TOKEN)))
    assert TOKEN not in repr(told)
    assert [part.id for part in told.parts] == ["a1", "n1"]


def test_what_has_no_secret_is_told_as_it_is():
    assert cleaned(failed()) == failed()
    assert cleaned(notice()) == notice()


@pytest.mark.parametrize("lines", range(1, 30))
def test_a_key_that_the_message_cuts_is_taken_out_before(lines):
    tail = "\n".join([KEY, *["later"] * lines])
    message = cleaned(failed(output_tail=tail, error=f"{'x ' * 150}{KEY}"))
    for told in (json.dumps(slack.render(message)), console.render(message)):
        assert BODY not in told
        assert "q9Zk=" not in told


@pytest.mark.parametrize("end", ["", "\n" + "later\n" * 40], ids=["at the end", "above the end"])
def test_seeded_secrets_are_in_no_payload(end):
    names = ["reason", "error", "output_tail", "status", "command"]
    for secret in BY_LOOKS:
        text = secret.text + end
        for message in (failed(**dict.fromkeys(names, text)), notice(title="x", text=text)):
            told = payloads(cleaned(message)) + payloads(cleaned(digest(message)))
            assert not [needle for needle in secret.needles if needle in told]


def test_without_looking_the_seeded_secrets_would_be_told():
    told = [payloads(failed(output_tail=secret.text)) for secret in BY_LOOKS]
    shown = [any(n in text for n in s.needles) for s, text in zip(BY_LOOKS, told, strict=True)]
    assert sum(shown) > 240


class Receiver:
    def __init__(self):
        self.got = []

    def send(self, message):
        self.got.append(message)
        return Delivery(result=DeliveryResult.SENT, receipt="ok")


def test_a_channel_gets_the_cleaned_message_and_its_answer_comes_back():
    receiver = Receiver()
    delivery = Redacting(receiver).send(failed(error=TOKEN))
    assert receiver.got == [failed(error=R)]
    assert delivery.receipt == "ok"


HOSTILE = [
    *("eyJ", "1meyJ", "-eyJ", "://", "://a:", "a@", "-----BEGIN PRIVATE KEY-----"),
    *("-----END PRIVATE KEY-----", "-----END PRIVATE KEY-----\n", "KEY", "KEY=", "KEY='", 'KEY="'),
    *("authorization: '", "authorization:", "secret key", "secret_key ", "ghp_", "xoxb-", "A" * 40),
    *("AKIA", "hooks.slack.com/a/", "a" * 31 + "!", " ", "\\", "'", "sk_live_"),
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("end", ["", "-----END PRIVATE KEY-----", " -----END PRIVATE KEY-----"])
def test_hostile_text_costs_no_more_than_a_moment(piece, end):
    text = piece * (65_536 // len(piece)) + end
    began = time.process_time()
    redacted(text)
    assert time.process_time() - began < 2


@given(st.text(st.sampled_from("@:/'\"=\\ \n-_.KEYeyJ[]x"), max_size=80))
def test_to_look_once_more_only_makes_it_shorter(text):
    once = redacted(text)
    assert len(redacted(once).replace(R, "")) <= len(once.replace(R, ""))
