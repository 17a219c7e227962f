"""The console: alerts as plain text, for people without Slack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.model import Delivery, DeliveryResult
from cronverifyd.tell.story import Fact, story_of
from cronverifyd.tell.text import one_line

if TYPE_CHECKING:
    from typing import TextIO

    from cronverifyd.model import Message
    from cronverifyd.tell.story import Story


def render(message: Message) -> str:
    """Say a message in a few lines; the last one ends with a newline."""
    return lay_out(story_of(message))


def lay_out(story: Story) -> str:
    """Lay a story out as plain text: a line with the title, then one a fact."""
    word = "OK" if story.good else story.severity.upper()
    facts = [*story.facts, *_quote(story), *story.course, *_further(story)]
    lines = [f"  {fact.label.lower():9} {fact.text}" for fact in facts]
    return "\n".join([f"[{word}] {story.title}", *lines, ""])


def _quote(story: Story) -> list[Fact]:
    return [Fact(label="", text=f"| {line}") for line in story.quote.split("\n") if story.quote]


def _further(story: Story) -> list[Fact]:
    look = [Fact(label="Look", text=story.command)] if story.command else []
    runbook = [Fact(label="Runbook", text=one_line(story.runbook, 600))] if story.runbook else []
    return [*look, *runbook, *(Fact(label="Note", text=note) for note in story.notes)]


class ConsoleSender:
    """Writes alerts to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, message: Message) -> Delivery:
        """Write one message and say what came of it; a closed or broken stream is tried again."""
        try:
            self._stream.write(self._writable(render(message)))
            self._stream.flush()
        except (OSError, ValueError) as error:
            return Delivery(result=DeliveryResult.RETRY, error=f"cannot write: {error}")
        return Delivery(result=DeliveryResult.SENT, receipt="written")

    def _writable(self, text: str) -> str:
        """Replace what the stream's encoding cannot say."""
        encoding = self._stream.encoding or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)
