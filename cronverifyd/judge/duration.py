"""Durations, between text and seconds."""

from __future__ import annotations

import re

_UNITS_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)


def parse_duration(text: str) -> float:
    """Turn `45m`, `1h30m`, `1.5h` or `500ms` into seconds.

    Raises ValueError with a sentence when the text is not a duration; a bare number is not one.
    """
    if not _WHOLE.fullmatch(text):
        message = f'must be a duration such as "90s", "15m" or "1h30m" (got "{text}")'
        raise ValueError(message)
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float) -> str:
    """Say a duration with its two largest units: `1 h 30 min`, `4 s`, `0.25 s`, `12 ms`.

    The sign is dropped: callers say "late" or "early".
    """
    seconds = round(abs(seconds), 3)
    if seconds and seconds < 0.1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.2g} s"
    parts: list[str] = []
    left = round(seconds)
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
