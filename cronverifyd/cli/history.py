"""`cronverifyd history`."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from cronverifyd.cli import words
from cronverifyd.cli.common import (
    config_option,
    console,
    json_option,
    known_job,
    print_json,
    read_config,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console
    from rich.text import Text


_ASKED = {"cueapi", "http", "check"}
"""Who asked for the look that found it; else it was the file or the time."""


@click.command("history")
@click.argument("job", metavar="JOB")
@click.option("-n", "count", type=click.IntRange(1, 100_000), default=20, show_default=True)
@config_option
@json_option
def command(job: str, count: int, config_path: Path | None, *, as_json: bool) -> int:
    """Show a job's slots with their runs, newest first.

    \b
    Examples:
      cronverifyd history invoice-gen
      cronverifyd history invoice-gen -n 100 --json
    """
    from cronverifyd.report import documents
    from cronverifyd.store.reader import open_reader

    config = read_config(config_path)
    known_job(job, config.jobs)
    with open_reader(config.daemon.state_dir) as reader:
        document = documents.history(config.jobs[job], reader, count)
    if as_json:
        print_json(document)
    elif document["slots"]:
        _print(document, console())
    else:
        console().print(f"{job}: no slot has been judged yet")
    return 0


def _print(document: dict[str, Any], out: Console) -> None:
    """Draw the table; where it has no room for the reasons, those of importance stand below."""
    from cronverifyd.cli.table import Column, hang, lay_out

    columns = (
        Column(title="SLOT"),
        Column(title="VERDICT"),
        Column(title="STARTED", drop=1),
        Column(title="TOOK", drop=2),
        Column(title="STATUS", least=8, drop=4),
        Column(title="EXIT", drop=3),
        Column(title="REASON", drop=5),
    )
    slots = document["slots"]
    heading, *lines = lay_out(columns, [row for slot in slots for row in _rows(slot)], out.width)
    below = not heading.plain.endswith("REASON")
    out.print(heading)
    left = iter(lines)
    for slot in slots:
        for line in islice(left, max(1, len(slot["runs"]))):
            out.print(line)
        if below and slot["verdict"] != "ok":
            out.print(*hang("  ", _reason(slot), 2, out), sep="\n")


def _reason(slot: dict[str, Any]) -> str:
    late = " (found late)" if slot["found_late"] else ""
    by = slot["triggered_by"]
    return words.safe(slot["reason"]) + late + (f" (asked by {by})" if by in _ASKED else "")


def _rows(slot: dict[str, Any]) -> Iterator[tuple[Text | str, ...]]:
    """Make a row for a slot with its newest run, and one for each of its other runs."""
    from rich.text import Text

    at = datetime.fromisoformat(slot["slot"])
    first, *others = slot["runs"] or [None]
    verdict = Text(slot["verdict"], style=words.STYLES[slot["verdict"]])
    yield words.slot(slot["slot"]), verdict, *_run_cells(first, at), _reason(slot)
    for run in others:
        yield "", "", *_run_cells(run, at), ""


def _run_cells(run: dict[str, Any] | None, slot: datetime) -> tuple[str, str, str, str]:
    from cronverifyd.judge.duration import format_duration

    if run is None:
        return "-", "-", "-", "-"
    started = words.instant(run["started_at"], slot) if run["started_at"] else "-"
    took = "-" if run["duration_s"] is None else format_duration(run["duration_s"])
    code = "-" if run["exit_code"] is None else str(run["exit_code"])
    ended_by = words.safe(run["signal"], 12) or code
    status = words.safe(run["status"], 40) + (" (spoofed)" if run["spoofed"] else "")
    return started, took, status, ended_by
