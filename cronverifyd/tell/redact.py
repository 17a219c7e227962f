"""Take secrets out of whatever a channel is about to tell.

The wrapper has done so before its lines were written, but other programs write to the outcome file
as well, and what a terminal hides (colours, invisible characters) may have hidden a secret from it.
The job's environment is not known here: a secret is told by its looks.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from cronverifyd.model import Alert, Digest
from cronverifyd.tell.text import plain

if TYPE_CHECKING:
    from cronverifyd.model import Delivery, Message, Notice, Sender

REDACTED = "[redacted]"

_OURS = frozenset({"id", "incident"})  # made here, and compared by whoever receives them

# These are the wrapper's patterns, wrap.py, which is one file and cannot share them. Of each, group
# 1 stays.
SHAPES = (
    # What stands before the host of a URL; `git` is a name, and no secret.
    (
        r"(:(?:\\?/){2})(?!git@)(?:[^\s/?#\"<>'`\\]{1,512}"
        r"|[^\s/?#\"<>'`\\@:\[]{1,256}:(?!\d{1,5}[/?#])[^\s\"<>'`@]{1,256})(?=@)"
    ),
    # A header whose value stands in quotes: JSON, a list of pairs.
    (
        r"(?im)(authorization(?:\\{0,4}[\"'])?[ \t]*(?:=>|[:=,])[ \t]*[\[(]?[bu]?"
        r"(\\{0,4}[\"'])).*?(?=\2|$)"
    ),
    # A header that stands in quotes whole: a shell's word.
    r"(?im)((\\{0,4}[\"'])(?:(?:proxy|x)[-_])?authorization:[ \t]*)(?![ \t\"'\\]).*?(?=\2|$)",
    # A header without quotes; of the schemes that have one word the rest of the line may stay.
    (
        r"(?im)(authorization(?:\x1b\[[0-9;]*m)*(?:\\{0,4}[\"'])?[ \t]*(?:=>|[:=])[ \t]*"
        r"(?:\x1b\[[0-9;]*m)*)(?![\[(]?[bu]?\\{0,4}[\"'])(?:\[redacted\](?!\w)"
        r"|(?:bearer|basic|token|negotiate|ntlm|apikey)[ \t]+[^\s\"',;]+|\S.*)"
    ),
    # AWS: a secret key and a session token where they are named, then a key's id.
    (
        r"(?i)((?:secret[_ -]?access[_ -]?key|secret[_ -]?key|session[_ -]?token)"
        r"(?: \[\w*\])?\\{0,4}[\"']?\s*(?:=>|[:=>])\s*\\{0,4}[\"']?)[A-Za-z0-9/+=]{40,}"
    ),
    r"()(?:AKIA|ASIA)[A-Z0-9]{16,}",
    # GitHub, GitLab.
    r"()(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{22,}(?:\.[A-Za-z0-9_-]+)*",
    r"()gl(?:pat|dt|rtr?|ptt|cbt|ft|imt|soat|agent)-[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9]+)*",
    # Slack: tokens, the address of an incoming webhook.
    r"()(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,}",
    r"(hooks\.slack(?:-gov)?\.com\\?/[a-z]+\\?/)(?:\\?/|[A-Za-z0-9_%+-])+",
    # Stripe; the start of a word, or after a colour.
    r"()(?:(?<![A-Za-z0-9])|(?<=[\[0-9;]m))(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}",
    # A JWT; what is in its second part begins with `{"` as well, unless it is encrypted.
    (
        r"()(?:(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}"
        r"|eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{4,8192})(?:\.[A-Za-z0-9_-]*){1,3}"
    ),
    # A variable that is secret by its name; a number is none.
    (
        r"((?<![A-Z0-9_])(?=[A-Z0-9_]{0,99}(?:PASS|TOKEN|SECRET|KEY|CRED))[A-Z0-9_]{2,100}=)"
        r"(?:\"(?!\$[\w{(])(?:[^\"\\\n]|\\.){6,}\"|(?:\$?'[^'\n]{2,}'(?:\\')?)+"
        r"|(?![$=]|[0-9.]+(?![^\s\"',;]))[^\s\"'\\]{6,})"
    ),
)
KEY_MARK = r"-{4,5} ?(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
KEY_LINE = (
    r"(?:.*[^A-Za-z0-9+/=])?[A-Za-z0-9+/=]{32,}[\s\"',\\]*|\s*[A-Za-z0-9+/=]*\s*"
    r"|\s*(?:Proc-Type|DEK-Info|Version|Comment|Hash):.*"
)

_SHAPES = tuple(map(re.compile, SHAPES))
_KEY_MARK, _KEY_LINE, _WORD = map(re.compile, (KEY_MARK, KEY_LINE, r"^\S+"))


class Redacting:
    """A sender that tells what it is given without its secrets."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def send(self, message: Message) -> Delivery:
        """Send one message, cleaned."""
        return self._sender.send(cleaned(message))


def cleaned(message: Message) -> Message:
    """Make a message in which no text has a secret, whoever gave it.

    It comes before any cut, for half a secret is not known as one. What is left is plain text (see
    text.plain).
    """
    if isinstance(message, Digest):
        return replace(message, parts=tuple(map(_cleaned, message.parts)))
    return _cleaned(message)


def redacted(text: str) -> str:
    """Put `[redacted]` in the place of whatever in `text` looks like a secret."""
    text = _without_keys(plain(text))
    for shape in _SHAPES:
        text = shape.sub(rf"\1{REDACTED}", text)
    return text


def _cleaned(message: Alert | Notice) -> Alert | Notice:
    given = {part.name: getattr(message, part.name) for part in fields(message)}
    changed: dict[str, Any] = {
        name: redacted(text)
        for name, text in given.items()
        if type(text) is str and name not in _OURS  # a StrEnum is a word of ours
    }
    if isinstance(message, Alert):
        changed["host_says"] = tuple(map(redacted, message.host_says))
    return replace(message, **changed)


def _without_keys(text: str) -> str:
    """Take out the blocks of private keys, also of those whose beginning or end is missing."""
    kept, done = "", 0  # what is told, and up to where it has been searched
    begin: re.Match[str] | None = None
    for mark in [*_KEY_MARK.finditer(text), None]:
        if begin and (not mark or mark[1] == "BEGIN"):  # a beginning without an end
            kept += text[done : begin.start()] + REDACTED
            rest = text[begin.end() : mark.start() if mark else None]
            done = begin.end() + _key_size(rest, 1)
        if mark and mark[1] == "END":
            size = _key_size(text[done : mark.start()], -1)
            kept += text[done : begin.start() if begin else mark.start() - size] + REDACTED
            done = mark.end()
        begin = mark if mark and mark[1] == "BEGIN" else None
    return kept + text[done:]


def _key_size(text: str, step: int) -> int:
    """Count the characters at the start (step 1) or the end (-1) of `text` that are of a key."""
    beside, *lines = text.split("\n")[::step]
    size = len(beside) - len(_WORD.sub("", beside[::step], count=1))
    if step > 0 and beside[size:].strip():
        return size
    above = 0
    for line in lines:
        if not _KEY_LINE.fullmatch(line):
            break
        above += len(line) + 1
    return len(beside) + above if above else size
