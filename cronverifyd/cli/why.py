"""`cronverifyd why`: the evidence behind a verdict."""

from __future__ import annotations

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
    from pathlib import Path


@click.command("why")
@click.argument("job", metavar="JOB")
@config_option
@json_option
def command(job: str, config_path: Path | None, *, as_json: bool) -> int:
    """Show the evidence behind a job's verdict: the slot, its runs, what was sent to whom.

    \b
    Examples:
      cronverifyd why invoice-gen
      cronverifyd why invoice-gen --json | jq .evidence
    """
    from cronverifyd.cli.evidence import why
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.store.reader import open_reader

    config = read_config(config_path)
    known_job(job, config.jobs)
    with open_reader(config.daemon.state_dir) as reader:
        document = why(config.jobs[job], reader, read_clock())
    if as_json:
        print_json(document)
    else:
        _print(document)
    return 0


def _print(document: dict[str, Any]) -> None:
    from rich.text import Text

    out = console()
    verdict = document["verdict"]
    out.print(
        Text.assemble(
            (document["job"], "bold"), " is ", (verdict, words.STYLES[verdict]), ": "
        ).append(words.safe(document["reason"]))
    )
    for piece in document["evidence"]:
        first, *rest = piece["text"].split("\n")
        out.print(Text.assemble((f"{piece['kind']:>9}  ", "dim"), first))
        for line in rest:
            out.print(Text(f"{'':>9}  {line}"))
