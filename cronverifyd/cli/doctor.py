"""`cronverifyd doctor`."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from cronverifyd.cli import words
from cronverifyd.cli.common import config_option, console, find_config, json_option, print_json
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from cronverifyd.doctor.finding import Finding

_SHOW_PROGRESS_AFTER_S = 1.0
_LONGEST_TEXT = 1_000
_STYLES = {"ok": "green", "warning": "yellow", "bad": "bold red"}


@click.command("doctor")
@config_option
@json_option
def command(config_path: Path | None, *, as_json: bool) -> int:
    """Show what is wrong with this installation, each with a remedy.

    It changes nothing, sends nothing and needs no daemon. It sees most as root. Exit code 0 when
    nothing is bad, 1 when something is.

    \b
    Examples:
      sudo cronverifyd doctor
      cronverifyd doctor --json | jq '.findings[] | select(.level != "ok")'
    """
    findings = _examined(find_config(config_path))
    count = {level: sum(each.level == level for each in findings) for level in _STYLES}
    if as_json:
        print_json(_document(findings, count))
    else:
        out = console()
        _print(findings, out)
        out.print(_summary(count))
    return 1 if count["bad"] else 0


def _examined(path: Path) -> list[Finding]:
    """Examine it in a thread, so that a terminal sees what is waited for."""
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.doctor.examine import examine

    findings: list[Finding] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for finding in examine(path, read_clock()):
                findings.append(finding)  # noqa: PERF402 (what is found is kept, if one raises)
        except BaseException as error:  # noqa: BLE001 (the thread's edge: raised below)
            failures.append(error)

    thread = threading.Thread(target=work, name="doctor", daemon=True)
    thread.start()
    thread.join(_SHOW_PROGRESS_AFTER_S)
    if thread.is_alive() and sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("looking at what answers …"):
            thread.join()
    thread.join()
    if failures:
        raise failures[0]
    return findings


def _document(findings: Sequence[Finding], count: dict[str, int]) -> dict[str, Any]:
    return {
        "healthy": not count["bad"],
        **count,
        "findings": [
            {"check": f.check, "level": f.level, "text": f.text, "remedy": f.remedy}
            for f in findings
        ],
    }


def _print(findings: Sequence[Finding], out: Console) -> None:
    """Draw a finding a paragraph; the remedy is never wrapped, so that it can be pasted."""
    from rich.text import Text

    from cronverifyd.cli.table import hang

    room = max((len(each.check) for each in findings), default=0)
    for each in findings:
        style = _STYLES[each.level]
        head = Text.assemble((f"{each.level:<8}", style), f" {each.check:<{room}}  ")
        for line in hang(head, words.safe(each.text, _LONGEST_TEXT), room + 11, out):
            out.print(line)
        if each.remedy is not None:
            out.print(f"         try: {words.safe(each.remedy, _LONGEST_TEXT)}", soft_wrap=True)


def _summary(count: dict[str, int]) -> str:
    warnings = plural(count["warning"], "warning")
    return f"{count['bad']} bad, {warnings}, {count['ok']} ok"
