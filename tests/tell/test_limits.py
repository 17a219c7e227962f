"""The checks of tests/tell/limits.py find what they look for."""

import pytest

from tests.tell.limits import broken, obeyed


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
def test_what_would_be_obeyed_is_found(payload, found):
    complaints = obeyed(payload)
    assert len(complaints) == len(found)
    assert all(said.startswith(what) for said, what in zip(complaints, found, strict=True))


def mrkdwn(text, **changed):
    return {"type": "mrkdwn", "text": text, "verbatim": True} | changed


def section(text):
    return {"type": "section", "text": mrkdwn(text)}


def header(text, kind="plain_text"):
    return {"type": "header", "text": {"type": kind, "text": text}}


def context(*elements):
    return {"type": "context", "elements": list(elements)}


def in_fields(*fields):
    return {"type": "section", "fields": list(fields)}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        pytest.param({"text": "x" * 4_001}, "text is", id="text"),
        pytest.param({"text": ""}, "text is", id="no fallback"),
        pytest.param({"attachments": []}, "other keys", id="attachments"),
        pytest.param({"blocks": []}, "no blocks", id="no blocks"),
        pytest.param({"blocks": [section("x")] * 51}, "no blocks, or above 50", id="51 blocks"),
        pytest.param({"blocks": [{"type": "divider"}]}, "unknown", id="unknown block"),
        pytest.param(
            {"blocks": [section("x" * 2_500)] * 16 + [section("x")]}, "the blocks", id="all"
        ),
        pytest.param({"blocks": [section("x" * 3_001)]}, "section: above 3,000", id="section"),
        pytest.param({"blocks": [section(" ")]}, "section: empty", id="empty section"),
        pytest.param({"blocks": [{"type": "section"}]}, "a section without", id="no text"),
        pytest.param({"blocks": [in_fields(*[mrkdwn("x")] * 11)]}, "fields above 10", id="fields"),
        pytest.param({"blocks": [in_fields(mrkdwn("x" * 2_001))]}, "field: above", id="field"),
        pytest.param({"blocks": [header("x" * 151)]}, "header: above 150", id="header"),
        pytest.param({"blocks": [header("x", "mrkdwn")]}, "header: not plain_text", id="kind"),
        pytest.param({"blocks": [context(*[mrkdwn("x")] * 11)]}, "a context", id="context"),
        pytest.param({"blocks": [context()]}, "a context", id="empty context"),
        pytest.param({"blocks": [context(mrkdwn("x" * 3_001))]}, "element: above", id="element"),
        pytest.param(
            {"blocks": [context(mrkdwn("x", verbatim=False))]}, "element: Slack", id="verbatim"
        ),
    ],
)
def test_what_slack_would_refuse_is_found(changed, found):
    (complaint,) = broken({"text": "x", "blocks": [section("x")]} | changed)
    assert complaint.startswith(found)


def test_what_just_fits_is_found_well():
    at_most = [
        header("x" * 150),
        section("x" * 3_000),
        in_fields(*[mrkdwn("x" * 20)] * 9, mrkdwn("x" * 2_000)),
        context(*[mrkdwn("x")] * 9, mrkdwn("x" * 3_000)),
    ]
    assert broken({"text": "x" * 4_000, "blocks": at_most, "unfurl_links": False}) == []
