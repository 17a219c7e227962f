"""Sizes, between text and bytes.

kB, MB, GB, TB are powers of 1,000, KiB, MiB, GiB, TiB of 1,024; a bare number is bytes.
"""

from __future__ import annotations

import re

_DECIMAL = {"kB": 1_000, "MB": 1_000**2, "GB": 1_000**3, "TB": 1_000**4}
_BINARY = {"KiB": 1_024, "MiB": 1_024**2, "GiB": 1_024**3, "TiB": 1_024**4}
_UNITS = {"": 1, "B": 1, "KB": 1_000} | _DECIMAL | _BINARY
_FORM = re.compile(rf"(\d+|\d+\.\d+(?=[A-Za-z]))({'|'.join(_UNITS)})", re.ASCII)


def parse_size(text: str) -> float:
    """Turn `512`, `10MB` (decimal) or `1.5GiB` (binary) into bytes; `kB` and `KB` are one.

    Raises ValueError with a sentence when the text is not a size.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        message = f'must be a size such as "512", "10MB" or "1.5GiB" (got "{text}")'
        raise ValueError(message)
    return float(found[1]) * _UNITS[found[2]]


def format_size(size: float) -> str:
    """Say a size: `812 bytes`, `16 KiB` where that is exact, else `1.5 MB`, `523 MB`."""
    for unit, factor in _BINARY.items():
        count, rest = divmod(size, factor)
        if not rest and 0 < count < 1_024:
            return f"{count:.0f} {unit}"
    if size < 1_000:
        return f"{size:.6g} {'byte' if size == 1 else 'bytes'}"
    unit = next((unit for unit, factor in _DECIMAL.items() if size < 999.5 * factor), "TB")
    count = size / _DECIMAL[unit]
    return f"{count:.2g} {unit}" if count < 9.95 else f"{count:.0f} {unit}"
