"""Tables that fit a terminal: what matters least goes first, and no cell is cut to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

_GAP = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column. `least`: to how many cells it may be cut; None: not at all.

    `drop`: where room is short, the column with the highest number goes first; 0: it stays.
    """

    title: str
    least: int | None = None
    drop: int = 0


def lay_out(
    columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], room: int
) -> list[Text]:
    """Make a heading, and a line for each row, that take at most `room` cells."""
    natural = [
        max([cell_len(column.title), *(_cells(row[at]) for row in rows)])
        for at, column in enumerate(columns)
    ]
    floors = [
        width if column.least is None else min(width, column.least)
        for column, width in zip(columns, natural, strict=True)
    ]
    kept = _kept(columns, floors, room)
    widths = _widths(kept, floors, natural, room)
    heading = [Text(column.title, style="bold") for column in columns]
    return [_line(row, widths) for row in (heading, *rows)]


def hang(head: Text | str, body: Text | str, indent: int, out: Console) -> Iterator[Text]:
    """Wrap `body` behind `head`, which is not wider than `indent`, and align what follows."""
    text = body if isinstance(body, Text) else Text(body)
    for line in text.wrap(out, max(20, out.width - indent)) or [Text()]:
        line.rstrip()
        yield Text.assemble(head, line)
        head = " " * indent


def _cells(cell: Text | str) -> int:
    return cell_len(cell) if isinstance(cell, str) else cell.cell_len


def _kept(columns: Sequence[Column], floors: Sequence[int], room: int) -> list[int]:
    """Say which columns stay, by their places."""
    kept = list(range(len(columns)))
    while sum(floors[at] + _GAP for at in kept) - _GAP > room:
        victim = max(kept, key=lambda at: columns[at].drop)
        if columns[victim].drop == 0:
            break
        kept.remove(victim)
    return kept


def _widths(
    kept: Sequence[int], floors: Sequence[int], natural: Sequence[int], room: int
) -> dict[int, int]:
    """Give the room that is left to the columns that were to be cut, from the left."""
    spare = max(0, room - sum(floors[at] + _GAP for at in kept) + _GAP)
    widths: dict[int, int] = {}
    for at in kept:
        more = min(natural[at] - floors[at], spare)
        widths[at] = floors[at] + more
        spare -= more
    return widths


def _line(row: Sequence[Text | str], widths: dict[int, int]) -> Text:
    line = Text(" " * _GAP).join(_fitted(row[at], width) for at, width in widths.items())
    line.rstrip()
    return line


def _fitted(cell: Text | str, width: int) -> Text:
    text = Text(_shortened(cell, width)) if isinstance(cell, str) else cell.copy()
    text.truncate(width, overflow="ellipsis", pad=True)
    return text


def _shortened(text: str, width: int) -> str:
    """Cut out the middle: names that begin alike often differ at their ends."""
    if cell_len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"
