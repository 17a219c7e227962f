"""Badges: a job's name beside its verdict, as an image for wikis and dashboards."""

from __future__ import annotations

from dataclasses import dataclass

_HEIGHT = 20
_PADDING = 6
# Verdana's widths at 11 px, about; `textLength` makes the text fit, whatever the font is.
_WIDTHS = {
    **dict.fromkeys("iIlj.'|", 3.6),
    **dict.fromkeys("ftr-() ", 4.6),
    **dict.fromkeys("mwMW", 10.2),
}
_USUAL_WIDTH = 6.9

# White on each of them has a contrast of 4.5 or more.
_GREEN, _AMBER, _RED, _VIOLET, _GREY = "#1a7f37", "#8a5a00", "#c2242d", "#7d3cb8", "#5c6570"
_COLOURS = {
    "ok": _GREEN,
    "late": _AMBER,
    "pending": _GREY,
    "unknown": _VIOLET,
    "unverified": _VIOLET,
    "disabled": _GREY,
    "unknown job": _GREY,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """What a template draws: two boxes of `left` and `right` pixels with their texts."""

    label: str
    word: str
    left: int
    right: int
    colour: str
    height: int = _HEIGHT
    padding: int = _PADDING

    @property
    def width(self) -> int:
        """Add the boxes up."""
        return self.left + self.right


def badge(label: str, word: str) -> Badge:
    """Lay a badge out. Of the words, the verdicts that are bad are red."""
    return Badge(
        label=label,
        word=word,
        left=_room(label),
        right=_room(word),
        colour=_COLOURS.get(word, _RED),
    )


def _room(text: str) -> int:
    return round(sum(_WIDTHS.get(char, _USUAL_WIDTH) for char in text)) + 2 * _PADDING
