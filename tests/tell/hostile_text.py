"""Texts that try to be obeyed, and messages that are full of one."""

from dataclasses import fields, replace

import pytest

from cronverifyd.model import Alert, AlertKind, Notice, NoticeKind, Verdict
from tests.tell.builders import failed, notice
from tests.tell.limits import RUNBOOK

TEXTS = [
    pytest.param("<!channel> <!here> <!subteam^S1> @everyone", id="mentions"),
    pytest.param("<@U1> <#C1> <@U024BE7LH|bob>", id="people and channels"),
    pytest.param("```\n*not ours*\n```\n`x` ````", id="fences"),
    pytest.param("*RESOLVED* \u2705 db-backup is well again\nRESOLVED", id="RESOLVED"),
    pytest.param("\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://e\x1b\\x\x9b1m", id="ANSI"),
    pytest.param("a\u202egpj.exe\u2066\u2069\u200e\u200b\ufeff", id="bidi"),
    pytest.param("<script>alert(1)</script><img src=x onerror=y> &lt; &amp; &#60;", id="HTML"),
    pytest.param("<https://evil.example|Log in> https://evil.example?a&b", id="links"),
    pytest.param(b"\xff\xfe\xc3( \x00 \xed\xa0\x80".decode("utf-8", "replace"), id="bad UTF-8"),
    pytest.param(b"\xff\xfe\xc3(".decode("utf-8", "surrogateescape"), id="escaped bytes"),
    pytest.param("\ud800 half \udfff", id="half a pair"),
    pytest.param("\x00\x01\x7f\x85\u2028\u2029\r\n\b", id="controls"),
    pytest.param("\n" * 5000, id="empty lines"),
    pytest.param("\U0001f534" * 3000, id="wide characters"),
    pytest.param("&" * 3000, id="all escaped"),
    pytest.param("", id="empty"),
]
ALERTS = [(kind, verdict) for kind in AlertKind for verdict in Verdict]


def alert_of(text, **changed):
    """Make an alert all of whose texts are one."""
    given = dict.fromkeys(_texts_of(Alert), text) | {"host_says": (text, text)}
    return failed(**(given | {"runbook": RUNBOOK, "timezone": "UTC"} | changed))


def notice_of(text, **changed):
    return notice(**(dict.fromkeys(_texts_of(Notice), text) | changed))


def alerts_of(text):
    """Make an alert of each kind and verdict; the ids tell them apart, as they do in the outbox."""
    for kind, verdict in ALERTS:
        name = f"{kind}-{verdict}"
        yield alert_of(text, kind=kind, verdict=verdict, id=name, incident=name)


def notices_of(text):
    for kind in NoticeKind:
        yield notice_of(text, kind=kind, id=kind, incident=kind)


def many(count, text, **changed):
    """Make so many alerts and notices, of all kinds in turn, each of an incident of its own."""
    kinds = [*alerts_of(text), *notices_of(text)]
    for number in range(count):
        message = kinds[number % len(kinds)]
        words = {"id": f"m{number}", "incident": f"incident{number:05}"}
        fitting = {key: made for key, made in changed.items() if hasattr(message, key)}
        yield replace(message, **words, **{key: made(number) for key, made in fitting.items()})


def _texts_of(kind):
    kept = {"timezone", "runbook"}
    names = {part.name: part.type for part in fields(kind)}
    return [name for name, of in names.items() if of.startswith("str") and name not in kept]
