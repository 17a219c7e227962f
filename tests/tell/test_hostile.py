"""Whatever a job prints: no channel obeys it, and no message breaks a limit of Slack's."""

import json
import re
import unicodedata
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.model import Alert, AlertKind, Notice, NoticeKind, Severity, Verdict
from cronverifyd.tell import console, slack
from cronverifyd.tell.redact import cleaned
from tests.tell.builders import alert, digest, failed, notice, recovered, utc

SNAPSHOTS = Path(__file__).with_name("snapshots")
RUNBOOK = "https://wiki.example.com/runbook"
OUR_LINK = f"<{RUNBOOK}>"
MENTION = re.compile(r"<[!@#]|(?<!\w)@(?:here|channel|everyone)\b")


def broken(payload):
    """Name the limits of Slack that a payload breaks (api.slack.com/reference/block-kit/blocks)."""
    blocks = payload["blocks"]
    kinds = [block["type"] for block in blocks]
    texts = [block["text"] for block in blocks if block["type"] in {"header", "section"}]
    elements = [block["elements"] for block in blocks if block["type"] == "context"]
    checks = {
        "text is empty or above 40,000": 0 < len(payload["text"]) <= 40_000,
        "no blocks, or above 50": 0 < len(blocks) <= 50,
        "unknown blocks": {*kinds} <= {"header", "section", "context"},
        "a header is no plain text": all(
            block["text"]["type"] == "plain_text" for block in blocks if block["type"] == "header"
        ),
        "a header above 150": all(
            len(block["text"]["text"]) <= 150 for block in blocks if block["type"] == "header"
        ),
        "an empty text, or above 3,000": all(0 < len(text["text"]) <= 3_000 for text in texts),
        "a context without elements, or above 10": all(0 < len(e) <= 10 for e in elements),
        "an element is empty, or above 3,000": all(
            0 < len(part["text"]) <= 3_000 for element in elements for part in element
        ),
        "too large": len(json.dumps(payload)) <= 200_000,
    }
    return [name for name, holds in checks.items() if not holds]


def strings(value):
    """Give all texts in a payload that Slack shows."""
    if isinstance(value, dict):
        return [text for key, part in value.items() if key != "type" for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def obeyed(payload):
    """Name what in a payload would be obeyed, our own link to the runbook aside."""
    found = []
    for text in strings(payload):
        left = text.replace(OUR_LINK, "")
        if set("<>") & set(left) or re.search(r"&(?!amp;|lt;|gt;)", left):
            found.append(f"not escaped: {left!r}")
        if MENTION.search(left) or "://" in left:
            found.append(f"mention or link: {left!r}")
        if left.count("```") not in {0, 2} or (
            "```" in left and not re.fullmatch(r"```\n[^`]*\n```", left)
        ):
            found.append(f"a fence: {left!r}")
        if unsafe(left):
            found.append(f"controls: {left!r}")
    return found


def unsafe(text):
    """Tell whether a text has controls or invisible characters, but our own word joiner."""
    kinds = {unicodedata.category(char) for char in text if char not in "\n\t\u2060"}
    return bool(kinds & {"Cc", "Cf", "Cs"})


def alert_of(text, **changed):
    """Make an alert all of whose texts are one."""
    return failed(
        **dict.fromkeys(texts_of(Alert), text), runbook=RUNBOOK, timezone="UTC", **changed
    )


def notice_of(text, **changed):
    return notice(**dict.fromkeys(texts_of(Notice), text), **changed)


def texts_of(kind):
    kept = {"timezone", "runbook"}
    names = {part.name: part.type for part in fields(kind)}
    return [name for name, of in names.items() if of.startswith("str") and name not in kept]


def held(message):
    """Hold a message, before and after it is cleaned, to all that is promised."""
    for said in (message, cleaned(message)):
        payload = slack.render(said)
        assert broken(payload) == []
        assert obeyed(payload) == []
        assert json.loads(json.dumps(payload).encode()) == payload
        assert not unsafe(console.render(said).replace("\t", " "))


HOSTILE = [
    pytest.param("<!channel> <!here> <!subteam^S1> @everyone", id="mentions"),
    pytest.param("<@U1> <#C1> <@U024BE7LH|bob>", id="people and channels"),
    pytest.param("```\n*not ours*\n```\n`x` ````", id="fences"),
    pytest.param("*RESOLVED* \u2705 db-backup is well again\nRESOLVED", id="RESOLVED"),
    pytest.param("\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://e\x1b\\x\x9b1m", id="ANSI"),
    pytest.param("a\u202egpj.exe\u2066\u2069\u200e\u200b\ufeff", id="bidi"),
    pytest.param("<script>alert(1)</script><img src=x onerror=y> &lt; &amp; &#60;", id="HTML"),
    pytest.param("<https://evil.example|Log in> https://evil.example?a&b", id="links"),
    pytest.param(b"\xff\xfe\xc3( \x00 \xed\xa0\x80".decode("utf-8", "replace"), id="bad UTF-8"),
    pytest.param("\ud800 half \udfff", id="half a pair"),
    pytest.param("\x00\x01\x7f\x85\u2028\u2029\r\n\b", id="controls"),
    pytest.param("\n" * 5000, id="empty lines"),
    pytest.param("\U0001f534" * 3000, id="wide characters"),
    pytest.param("&" * 3000, id="all escaped"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_not_obeyed(text):
    held(alert_of(text))
    held(notice_of(text))
    held(digest(alert_of(text), notice_of(text)))


def test_a_megabyte_is_cut():
    text = "<!channel> ``` \x1b[31m\u202e& https://e.example \ud800\n" * 25_000
    payload = slack.render(cleaned(failed(output_tail=text, error=text)))
    assert len(text) > 1 << 20
    assert broken(payload) == []
    assert len(json.dumps(payload)) < 12_000
    assert len(console.render(cleaned(failed(output_tail=text, error=text)))) < 5_000


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        pytest.param({"text": "x <!here>"}, ["not escaped", "mention"], id="mention"),
        pytest.param({"text": "a & b"}, ["not escaped"], id="ampersand"),
        pytest.param({"text": "https://e"}, ["mention or link"], id="link"),
        pytest.param({"text": "```\na ``` b\n```"}, ["a fence"], id="fence"),
        pytest.param({"text": "\x1b"}, ["controls"], id="escape"),
        pytest.param({"blocks": [{"elements": [{"text": "\u202e"}]}]}, ["controls"], id="bidi"),
    ],
)
def test_the_check_finds_what_it_looks_for(payload, found):
    complaints = obeyed(payload)
    assert len(complaints) == len(found)
    assert all(said.startswith(what) for said, what in zip(complaints, found, strict=True))


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        pytest.param({"text": "x" * 40_001}, "text is", id="text"),
        pytest.param({"blocks": []}, "no blocks", id="no blocks"),
        pytest.param({"blocks": [{"type": "divider"}]}, "unknown", id="unknown block"),
        pytest.param(
            {"blocks": [{"type": "section", "text": {"text": "x" * 3001}}]},
            "an empty",
            id="section",
        ),
        pytest.param(
            {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
            "a header above",
            id="header",
        ),
        pytest.param(
            {"blocks": [{"type": "context", "elements": [{"text": "x"}] * 11}]},
            "a context",
            id="context",
        ),
    ],
)
def test_the_validator_finds_what_slack_would_refuse(changed, found):
    payload = {"text": "x", "blocks": [{"type": "section", "text": {"text": "x"}}]}
    assert broken(payload) == []
    (complaint,) = broken(payload | changed)
    assert complaint.startswith(found)


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


# ---- each kind of message, as people see it


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
}
MESSAGES = {
    **{
        f"opened-{verdict}": (failed if verdict is Verdict.FAILED else alert)(
            verdict=verdict, **changed
        )
        for verdict, changed in SAYS.items()
    },
    "recovered": recovered(),
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


def test_there_is_a_snapshot_of_each_verdict_and_each_notice():
    bad = {f"opened-{verdict}" for verdict in Verdict if verdict.bad}
    assert bad <= MESSAGES.keys()
    assert {f"notice-{kind}" for kind in NOTICES} <= MESSAGES.keys()
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
