"""Slack, and whatever else takes the messages of its incoming webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronverifyd.model import DeliveryResult, Severity
from cronverifyd.tell.post import TIMEOUTS_S, Postbox, Session
from cronverifyd.tell.story import story_of
from cronverifyd.tell.text import one_line, slack, slack_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import requests

    from cronverifyd.model import Delivery, Message
    from cronverifyd.tell.story import Fact, Story

# Block Kit: 150 characters in a header, 3,000 in a section's text. Ours stay far below.
_HEADER = 150
_FACT = 600
_QUOTE = 2_400
_SECTION = 2_900

# Slack itself cuts messages of more than 40,000 characters (docs.slack.dev, chat.postMessage).
_MOST = 40_000

# Blocks may also be refused as too long in all (`msg_blocks_too_long`). No page names the number;
# Slack's developers speak of 12,000 characters, in which each block counts for something as well
# (github.com/slackapi/bolt-js/issues/2509).
_SURE = 10_000

_AND_MORE = 40

_SIGNS = {
    Severity.CRITICAL: "\N{LARGE RED CIRCLE}",
    Severity.WARNING: "\N{LARGE ORANGE CIRCLE}",
    Severity.INFO: "\N{LARGE BLUE CIRCLE}",
}
_GOOD = "\N{WHITE HEAVY CHECK MARK}"


def render(message: Message, most: int = _MOST) -> dict[str, Any]:
    """Make the body of a POST to an incoming webhook, with at most `most` characters in its blocks.

    `text` is what a phone's notification shows; the blocks are the message. Blocks stand at the top
    level, not in a coloured attachment: Slack may fold attachments, and the sign in the header
    shows as well in a notification.
    """
    story = story_of(message)
    return {
        "text": f"{_sign(story)} {slack(story.sentence, _FACT)}",
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": list(_blocks(story, most)),
    }


def _blocks(story: Story, most: int) -> Iterator[dict[str, Any]]:
    below = list(_below(story))
    room = most - _HEADER - sum(map(_size, below))
    yield _header(story)
    yield from _sections(_within(room, story.facts))
    yield from below


def _below(story: Story) -> Iterator[dict[str, Any]]:
    if story.quote:
        yield _section(f"```\n{slack_end(story.quote, _QUOTE)}\n```")
    if further := "\n".join(_further(story)):
        yield _section(further)
    if story.notes:
        yield _context(" · ".join(slack(note, _FACT) for note in story.notes))


def _sign(story: Story) -> str:
    return _GOOD if story.good else _SIGNS[story.severity]


def _header(story: Story) -> dict[str, Any]:
    text = slack(f"{_sign(story)} {story.title}", _HEADER)
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _fact(fact: Fact) -> str:
    return f"*{fact.label}:* {slack(fact.text, _FACT)}"


def _size(block: Mapping[str, Any]) -> int:
    return sum(len(piece["text"]) for piece in block.get("elements") or [block["text"]])


def _within(room: int, facts: Sequence[Fact]) -> Iterator[str]:
    """Say as many facts as there is room for, and of how many things the others tell."""
    for number, fact in enumerate(facts):
        line = _fact(fact)
        room -= len(line) + 1
        if room < _AND_MORE:
            yield f"*Also:* and {sum(left.things for left in facts[number:])} more"
            return
        yield line


def _further(story: Story) -> Iterator[str]:
    yield from (_fact(fact) for fact in story.course)
    if story.command:
        yield f"*Look:* `{slack(story.command, _FACT)}`"
    if story.runbook:
        yield f"*Runbook:* {_link(story.runbook)}"


def _link(address: str) -> str:
    """Make the operator's own address a link; in Slack's links `|` begins the words to show."""
    flat = one_line(address, _FACT)
    if flat != address or not address.startswith(("https://", "http://")):
        return slack(flat, _FACT)
    for char, code in {"&": "&amp;", "<": "%3C", ">": "%3E", "|": "%7C", "`": "%60"}.items():
        address = address.replace(char, code)
    return f"<{address}>"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _sections(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Lay lines out in as few sections as they fit in."""
    text = ""
    for line in lines:
        if text and len(text) + len(line) >= _SECTION:
            yield _section(text)
            text = ""
        text = f"{text}\n{line}" if text else line
    if text:
        yield _section(text)


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Make a text object in which Slack looks for no addresses, channels or mentions by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


class SlackSender:
    """One incoming webhook."""

    def __init__(
        self,
        name: str,
        url: str,
        session: Callable[[], requests.Session] = Session,
        timeouts_s: tuple[float, float] = TIMEOUTS_S,
    ) -> None:
        self.name = name
        self._postbox = Postbox(url, session, timeouts_s)

    def send(self, message: Message) -> Delivery:
        """Post one message and say what came of it; raise nothing.

        A long one that is refused is posted once more, as short as Slack surely takes it.
        """
        body = render(message)
        delivery = self._postbox.post(body)
        short = render(message, _SURE)
        if delivery.result is DeliveryResult.REFUSED and short != body:
            return self._postbox.post(short)
        return delivery
