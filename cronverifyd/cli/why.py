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

_KINDS = 9
"""How wide the kinds of evidence are."""


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
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.report.evidence import why
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

    from cronverifyd.cli.table import hang

    out = console()
    verdict = document["verdict"]
    sentence = Text.assemble(
        (document["job"], "bold"),
        " is ",
        (verdict, words.STYLES[verdict]),
        f": {words.safe(document['reason'])}",
    )
    out.print(*hang("", sentence, 2, out), sep="\n")
    for piece in document["evidence"]:
        head = Text(f"{piece['kind']:>{_KINDS}}  ", style="dim")
        out.print(*hang(head, piece["text"], _KINDS + 2, out), sep="\n")
