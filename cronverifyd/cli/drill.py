"""`cronverifyd drill`: prove that a failure would be told."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cronverifyd.cli import words
from cronverifyd.cli.common import config_option, console, json_option, print_json, read_config
from cronverifyd.cli.here import ask_daemon, here

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from cronverifyd.config.pieces import Config
    from cronverifyd.model import Rehearsed

_LOOK_AGAIN_S = 0.1
_ENDS = {"sent", "dead"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One link of the chain, and whether it answered. `took_s`: since the drill began."""

    name: str
    ok: bool
    text: str
    took_s: float


@click.command("drill")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(1, 600),
    default=60.0,
    show_default=True,
    help="Seconds after which a channel that did not answer counts as broken.",
)
@config_option
@json_option
def command(timeout_s: float, config_path: Path | None, *, as_json: bool) -> int:
    """Let a job fail on purpose, and follow that through the whole chain.

    The real wrapper runs it, its line goes into an outcome file and through the database, and every
    channel is told, in a message that says that it is a drill. Exit code 1 if a link does not hold.

    \b
    Examples:
      cronverifyd drill
      cronverifyd drill --json | jq '.links[] | select(.ok | not)'
    """
    config = read_config(config_path)
    out, links = console(), []
    for link in _links(config, timeout_s):
        links.append(link)
        if not as_json:
            _print(link, out)
    ok = all(link.ok for link in links)
    if as_json:
        print_json({"ok": ok, "links": [_document(link) for link in links]})
    else:
        out.print("every link holds" if ok else "the chain is broken: see above")
    return 0 if ok else 1


def _links(config: Config, timeout_s: float) -> Iterator[Link]:
    """Follow a drill; stop at the first link that makes the others impossible."""
    began, run = time.monotonic(), secrets.token_hex(16)
    asked = ask_daemon(config, "/drill", {"run": run})
    if asked is None:
        yield from _without_daemon(config, run, began)
        return
    yield _link("daemon", "it runs, and expects the drill", began)
    rehearsed = _rehearse(config, run)
    yield _wrapper(rehearsed, began)
    if not rehearsed.fault:
        yield from _follow(config, run, asked["channels"], began, began + timeout_s)


def _without_daemon(config: Config, run: str, began: float) -> Iterator[Link]:
    """Do what the daemon would, in this process."""
    from cronverifyd.daemon.clock import read_clock
    from cronverifyd.model import Drill, Look, TriggeredBy

    with here(config) as mine:
        drilled = mine.engine.handle(Drill(run=run), read_clock())
        rehearsed = _rehearse(config, run)
        yield _wrapper(rehearsed, began)
        if rehearsed.fault:
            return
        mine.engine.handle(Look(triggered_by=TriggeredBy.CHECK), read_clock())
        mine.tell()
    yield from _follow(config, run, drilled.channels, began, time.monotonic())
    yield Link(name="daemon", ok=False, text="none runs: nobody watches", took_s=_since(began))


def _rehearse(config: Config, run: str) -> Rehearsed:
    """Run the wrapper; a file that it has to make belongs to the state folder's owner."""
    from cronverifyd import state
    from cronverifyd.host.rehearsal import rehearse, writable_file
    from cronverifyd.model import Rehearsal

    file = writable_file(config.daemon.outcomes)
    if file is not None and not file.exists():
        state.become_owner(config.daemon.state_dir)
    return rehearse(Rehearsal(run=run, fails=True), config.daemon.outcomes)


def _wrapper(rehearsed: Rehearsed, began: float) -> Link:
    text = rehearsed.fault or f"the job failed as it was meant to; its line is in {rehearsed.file}"
    return _link("wrapper", text, began, ok=not rehearsed.fault)


def _follow(
    config: Config, run: str, channels: list[str], began: float, until: float
) -> Iterator[Link]:
    """Wait for the line to be read, and for each channel's answer."""
    waiting, was_read = set(channels), False
    while True:
        rows = _rows(config, run)
        if rows and not was_read:
            was_read = True
            yield _link("database", "the line was read, and is to be told", began)
        for channel, state, error in rows:
            if channel in waiting and state in _ENDS:
                waiting.discard(channel)
                told = state == "sent"
                text = "took it" if told else error or "refused it"
                yield _link(f"channel {channel}", text, began, ok=told)
        if not waiting or time.monotonic() >= until:
            break
        time.sleep(_LOOK_AGAIN_S)
    if not was_read:
        yield _link("database", "the line was not read in time", began, ok=False)
        return
    errors = {channel: error for channel, _, error in _rows(config, run)}
    for channel in sorted(waiting):
        text = errors.get(channel) or "did not answer in time"
        yield _link(f"channel {channel}", text, began, ok=False)


def _rows(config: Config, run: str) -> list[tuple[str, Any, str | None]]:
    from cronverifyd.store.reader import open_reader

    with open_reader(config.daemon.state_dir) as reader:
        return reader.drill(run)


def _link(name: str, text: str, began: float, *, ok: bool = True) -> Link:
    return Link(name=name, ok=ok, text=text, took_s=_since(began))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _document(link: Link) -> dict[str, Any]:
    return {"link": link.name, "ok": link.ok, "text": link.text, "took_s": link.took_s}


def _print(link: Link, out: Console) -> None:
    from rich.text import Text

    from cronverifyd.cli.table import hang

    sign = Text("ok    ", style="green") if link.ok else Text("broken", style="bold red")
    head = Text.assemble(sign, f"  {link.took_s:6.2f} s  ")
    text = Text.assemble((link.name, "bold"), f": {words.safe(link.text)}")
    out.print(*hang(head, text, len(head.plain), out), sep="\n")
