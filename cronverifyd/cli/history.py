"""`cronverifyd history`."""

from __future__ import annotations

from datetime import datetime
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
    from datetime import tzinfo
    from pathlib import Path

    from rich.console import RenderableType


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
    from cronverifyd.cli import documents
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.store.reader import open_reader

    config = read_config(config_path)
    known_job(job, config.jobs)
    with open_reader(config.daemon.state_dir) as reader:
        document = documents.history(config.jobs[job], reader, count)
    if as_json:
        print_json(document)
    elif document["slots"]:
        console().print(_table(document, read_clock()))
    else:
        console().print(f"{job}: no slot has been judged yet")
    return 0


def _table(document: dict[str, Any], now: datetime) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("SLOT", "VERDICT", "STARTED", "TOOK", "STATUS", "EXIT"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    table.add_column("REASON", overflow="fold", ratio=1)
    for slot in document["slots"]:
        zone = datetime.fromisoformat(slot["slot"]).tzinfo
        runs = slot["runs"] or [None]
        table.add_row(
            words.instant(slot["slot"], now),
            Text(slot["verdict"], style=words.STYLES[slot["verdict"]]),
            *_run_cells(runs[0], now, zone),
            words.safe(slot["reason"]) + (" (found late)" if slot["found_late"] else ""),
        )
        for run in runs[1:]:
            table.add_row("", "", *_run_cells(run, now, zone), "")
    return table


def _run_cells(
    run: dict[str, Any] | None, now: datetime, zone: tzinfo | None
) -> tuple[str, str, str, str]:
    from cronverifyd.judge.duration import format_duration

    if run is None:
        return "-", "-", "-", "-"
    took = "-" if run["duration_s"] is None else format_duration(run["duration_s"])
    code = "-" if run["exit_code"] is None else str(run["exit_code"])
    ended_by = words.safe(run["signal"], 12) or code
    started = words.instant(run["started_at"], now, zone) if run["started_at"] else "-"
    return started, took, words.safe(run["status"], 40), ended_by
