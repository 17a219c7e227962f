"""`cronverifyd config check` and `config import`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cronverifyd.cli.common import config_option, find_config, json_option, print_json, write
from cronverifyd.errors import ConfigError
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from cronverifyd.config.pieces import Config


@click.group("config", no_args_is_help=False)
def command() -> None:
    """Check a configuration, or import one.

    \b
    Examples:
      cronverifyd config check
      cronverifyd config import cron_config.json -o config.toml
    """


@command.command("check")
@config_option
@json_option
def check(config_path: Path | None, *, as_json: bool) -> int:
    """List all problems of the configuration at once, each with its place.

    Exit code 0 when there are none, else 2. Warnings are shown, and change nothing.

    \b
    Examples:
      cronverifyd config check
      cronverifyd config check --config /etc/cronverifyd/config.toml
    """
    from cronverifyd.config.load import load

    path = find_config(config_path)
    try:
        config = load(path)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "problems": str(error).splitlines(), "warnings": []})
        return ConfigError.exit_code
    if as_json:
        print_json({"ok": True, "problems": [], "warnings": list(config.warnings)})
    else:
        _print(config)
    return 0


def _print(config: Config) -> None:
    for warning in config.warnings:
        click.echo(f"cronverifyd: warning: {warning}", err=True)
    jobs, channels = plural(len(config.jobs), "job"), ", ".join(config.channels)
    write(f"{config.path}: no problems ({jobs}; alerts go to {channels})\n")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "-o",
    "--output",
    "--config",
    "output",
    type=click.Path(path_type=Path),
    help="Write a new file instead of the standard output.",
)
def import_(file: Path, output: Path | None) -> int:
    """Turn the tutorial's cron_config.json into a configuration.

    The result is printed, or written to a new file with -o; a file that is there is left alone.

    \b
    Examples:
      cronverifyd config import cron_config.json
      cronverifyd config import cron_config.json -o config.toml
    """
    from cronverifyd.config.importer import import_tutorial

    output = output or click.get_current_context().find_root().obj
    toml = import_tutorial(_read(file), environ=os.environ, file=str(file))
    if output is None:
        write(toml)
        return 0
    _write_new(output, toml)
    click.echo(f"wrote {output}; try: cronverifyd config check --config {output}", err=True)
    return 0


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 at byte {error.start}") from error


def _write_new(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    except FileExistsError as error:
        raise ConfigError(f"{path}: is there already", remedy="name a new file") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
