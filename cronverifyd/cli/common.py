"""What several commands share: options, the configuration, and how things are shown."""

from __future__ import annotations

import difflib
import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cronverifyd.errors import UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from cronverifyd.config.pieces import Config

_SYSTEM_CONFIG = Path("/etc/cronverifyd/config.toml")
_PIPE_WIDTH = 1_000


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--config`, which may stand before or after its name."""

    @functools.wraps(command)
    def wrapped(config_path: Path | None, **given: Any) -> Any:
        before = click.get_current_context().find_root().obj
        return command(config_path=config_path or before, **given)

    option = click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help="The configuration file.",
    )
    return option(wrapped)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json`."""
    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    return option(command)


def find_config(given: Path | None) -> Path:
    """Name the configuration file: as given, else the environment's, else one that is there."""
    if given is not None:
        return given
    if named := os.environ.get("CRONVERIFYD_CONFIG"):
        return Path(named)
    here = Path("config.toml")
    return here if here.exists() or not _SYSTEM_CONFIG.exists() else _SYSTEM_CONFIG


def read_config(given: Path | None) -> Config:
    """Load the configuration. Raises ConfigError."""
    from cronverifyd.config.load import load

    return load(find_config(given))


def known_job(name: str, names: Iterable[str]) -> str:
    """Return the name of a job that is there. Raises UnknownJobError with a near one."""
    names = list(names)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    raise UnknownJobError(f'no job "{name}"{hint}', remedy="cronverifyd status lists the jobs")


def print_json(document: Any) -> None:
    """Print one document. Instants are RFC 3339.

    It is ASCII, so that it can be printed everywhere and nothing in it moves a terminal.
    """
    write(json.dumps(document, indent=2, default=str) + "\n")


def write(text: str) -> None:
    """Write to the standard output; where nobody reads it any more, to nowhere."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        hush()


def hush() -> None:
    """Let the standard output lead nowhere: the interpreter must not complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> Console:
    """Make a console: colour on a terminal only (and not with NO_COLOR), nothing cut in a pipe."""
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            """Go on: rich itself would exit with 1, which here says that a job is not well."""
            hush()

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Quiet(width=width, highlight=False, markup=False, emoji=False)
