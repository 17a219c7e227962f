"""What Slack would refuse or obey in a payload, and what a terminal would obey in a text.

The limits are those of docs.slack.dev/reference/block-kit and of chat.postMessage.
"""

import json
import re
import unicodedata

RUNBOOK = "https://wiki.example.com/runbook"
OUR_LINK = f"<{RUNBOOK}>"
MENTION = re.compile(r"<[!@#]|(?<!\w)@(?:here|channel|everyone)\b")

MOST_IN_ALL = 40_000
KEYS = {"text", "blocks", "unfurl_links", "unfurl_media"}


def broken(payload, most_in_all=MOST_IN_ALL):
    """Name the limits of Slack that a payload breaks."""
    blocks = payload["blocks"]
    checks = {
        "other keys": payload.keys() <= KEYS,
        "text is empty or above 4,000": 0 < len(payload["text"]) <= 4_000,
        "no blocks, or above 50": 0 < len(blocks) <= 50,
        "the blocks have too much text in all": _in_all(blocks) <= most_in_all,
        "too large": len(json.dumps(payload)) <= 100_000,
    }
    found = [name for name, holds in checks.items() if not holds]
    return found + [what for block in blocks for what in _wrong_with(block)]


def _wrong_with(block):
    match block["type"]:
        case "header":
            yield from _wrong_text("header", block["text"], "plain_text", 150)
        case "section":
            if "text" in block:
                yield from _wrong_text("section", block["text"], "mrkdwn", 3_000)
            yield from _wrong_fields(block)
        case "context":
            if not 0 < len(block["elements"]) <= 10:
                yield "a context without elements, or above 10"
            for element in block["elements"]:
                yield from _wrong_text("element", element, "mrkdwn", 3_000)
        case kind:
            yield f"unknown block: {kind}"


def _wrong_fields(block):
    fields = block.get("fields", [])
    if not fields and "text" not in block:
        yield "a section without text"
    if len(fields) > 10:
        yield "fields above 10"
    for field in fields:
        yield from _wrong_text("field", field, "mrkdwn", 2_000)


def _wrong_text(what, piece, kind, most):
    if piece["type"] != kind:
        yield f"{what}: not {kind}"
    if not piece["text"].strip():
        yield f"{what}: empty"
    if len(piece["text"]) > most:
        yield f"{what}: above {most:,}"
    if kind == "mrkdwn" and piece.get("verbatim") is not True:
        yield f"{what}: Slack looks for links and mentions"


def _in_all(blocks):
    return sum(len(text) for text in strings(blocks))


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
