"""Mail as it is written: its headers, its text, its thread."""

import re
from email import message_from_bytes, policy

import pytest

from cronverifyd.model import AlertKind, Mail, NoticeKind
from cronverifyd.tell.console import render as as_text
from cronverifyd.tell.mail import render
from tests.tell.builders import alert, digest, failed, hostile, notice, recovered

MAIL = Mail(to=("ops@example.com", "root"), sender="cron@web1.example.com")
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
MIME = ["Content-Type", "Content-Transfer-Encoding", "MIME-Version"]


def sent(message):
    """Read a letter as a mail program would."""
    return message_from_bytes(render(message, MAIL).as_bytes(), policy=policy.default)


def test_a_letter_says_who_to_whom_when_and_what():
    letter = sent(failed())
    assert letter["From"] == "cron@web1.example.com"
    assert letter["To"] == "ops@example.com, root"
    assert letter["Subject"] == "[CRITICAL] db-backup failed (web1)"
    assert letter["Date"] == "Tue, 24 Nov 2026 02:50:00 +0000"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content_type() == "text/plain"
    assert letter.get_content() == as_text(failed())


def test_good_news_are_seen_in_the_subject():
    assert sent(recovered())["Subject"] == "[OK] db-backup is well again (web1)"


def test_text_that_is_not_ascii_arrives():
    letter = sent(failed(instance="café", error="für 🔴"))
    assert letter["Subject"] == "[CRITICAL] db-backup failed (café)"
    assert "für 🔴" in letter.get_content()


@pytest.mark.parametrize(
    "later",
    [
        recovered(id="k3v7qd2m.recovered"),
        alert(id="k3v7qd2m.reminded", kind=AlertKind.REMINDED),
        notice(incident="k3v7qd2m", kind=NoticeKind.SIGHTED),
    ],
    ids=["recovery", "reminder", "notice"],
)
def test_what_follows_an_opening_answers_it(later):
    opening = sent(alert(id="k3v7qd2m.opened"))
    assert opening["References"] is None
    letter = sent(later)
    assert letter["In-Reply-To"] == letter["References"] == opening["Message-ID"]
    assert letter["Message-ID"] != opening["Message-ID"]


@pytest.mark.parametrize(
    ("opens", "heals"),
    [
        pytest.param(NoticeKind.BLIND, NoticeKind.SIGHTED, id="outcome files"),
        pytest.param(NoticeKind.CRON_DEAD, NoticeKind.CRON_BACK, id="cron"),
        pytest.param(NoticeKind.CUEAPI_LOST, NoticeKind.CUEAPI_BACK, id="CueAPI"),
    ],
)
def test_an_incident_of_the_installation_opens_with_a_notice(opens, heals):
    opening = sent(notice(id="b1.opened", incident="b1", kind=opens))
    assert opening["References"] is None
    for later in (
        notice(id="b1.recovered", incident="b1", kind=heals),
        notice(id="b1.reminded.1", incident="b1", kind=opens),
    ):
        letter = sent(later)
        assert letter["References"] == opening["Message-ID"]
        assert letter["Message-ID"] != opening["Message-ID"]


def test_one_that_is_flapping_opens_so():
    opening = sent(alert(id="k3v7qd2m.flapping", kind=AlertKind.FLAPPING))
    assert opening["References"] is None
    assert sent(recovered(id="k3v7qd2m.recovered"))["References"] == opening["Message-ID"]


def test_a_letter_that_is_sent_again_is_the_same_letter():
    assert sent(failed()).as_bytes() == sent(failed()).as_bytes()
    assert re.fullmatch(r"<[0-9a-f]{32}@web1\.example\.com>", sent(failed())["Message-ID"])


@pytest.mark.parametrize(
    "other",
    [alert(incident="other"), alert(instance="web2"), notice(id="k3v7qd2m"), digest()],
    ids=["incident", "instance", "notice", "digest"],
)
def test_no_two_letters_share_an_id(other):
    assert sent(other)["Message-ID"] != sent(alert())["Message-ID"]


@pytest.mark.parametrize(
    "message",
    [
        hostile(),
        hostile(kind=AlertKind.REMINDED),
        failed(instance="a\r\nBcc: evil@example.com", job="b\nBcc: evil@example.com"),
        notice(id="hole-/x\r\nBcc: evil@example.com", title="c\u2028Bcc: evil@example.com\x85\x0b"),
        notice(title="=?utf-8?q?a=0d=0aBcc=3a_evil=40example.com?="),
        notice(title="=" + "?utf-8?b?DQpCY2M6IGV2aWxAZXhhbXBsZS5jb20=?=" * 20),
        notice(instance="x" * 5_000, title="\ud800\x00" + "é" * 5_000),
    ],
    ids=["run", "reminder", "names", "notice", "encoded word", "many", "long"],
)
def test_no_text_becomes_a_header(message):
    letter = sent(message)
    assert set(letter.keys()) - {"In-Reply-To", "References"} == {*HEADERS, *MIME}
    assert letter["To"] == "ops@example.com, root"
    assert len(letter["Subject"]) <= 250
    assert letter["Subject"].isprintable()
    raw = render(message, MAIL).as_bytes()
    assert max(len(line) for line in raw.splitlines()) <= 998
    assert b"\nBcc:" not in raw
    assert len(raw) < 30_000


def test_nothing_of_a_jobs_text_steers_whoever_reads_it():
    text = sent(hostile()).get_content()
    assert {char for char in text if not char.isprintable()} == {"\n"}
