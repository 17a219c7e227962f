"""`cronverifyd cue`: what CueAPI has to know of the configuration."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cronverifyd.cli import words
from cronverifyd.cli.common import config_option, console, json_option, print_json, read_config
from cronverifyd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from cronverifyd.config.pieces import Config
    from cronverifyd.cue.client import CueApi
    from cronverifyd.cue.plan import Cue, Plan, Usage
    from cronverifyd.cue.sync import Done
    from cronverifyd.cue.wanted import Setting

_PRIVATE = 0o600
_SECRET_BYTES = 4_096


@click.group("cue", no_args_is_help=False)
def command() -> None:
    """Make CueAPI's cues equal to the configuration, or compare them.

    A cue asks after a job at the end of its window (slot + max_duration + grace). Cues of others in
    the same account are left alone.

    \b
    Examples:
      cronverifyd cue sync --dry-run
      cronverifyd cue sync
      cronverifyd cue status
      cronverifyd cue secret --output /etc/credstore/cueapi_webhook_secret
    """


@command.command("sync")
@click.option("--dry-run", is_flag=True, help="Show what would be changed, and change nothing.")
@config_option
@json_option
def sync(config_path: Path | None, *, dry_run: bool, as_json: bool) -> int:
    """Make, change and delete cues until both sides are equal.

    What the account's plan has no room for is said before anything is changed. A second sync
    changes nothing. Exit code 1 if work is left undone.

    \b
    Examples:
      cronverifyd cue sync --dry-run
      cronverifyd cue sync --json | jq '.changes[] | select(.error)'
    """
    from cronverifyd.cli import cue_words

    config = read_config(config_path)
    out = console()
    with _client(config) as client, _busy("CueAPI is asked …"):
        usage, look = _looker(config, client)
        first = look(client.cues())
    if not as_json:
        cue_words.print_before(first, usage, config.daemon.instance, out)
    if dry_run:
        document = cue_words.sync_document(first, usage, [])
        return _told(document, as_json=as_json, code=0 if first.complete else 1)
    done, left = _make(client, first, look, None if as_json else out)
    document = cue_words.sync_document(left, usage, done)
    if not as_json:
        cue_words.print_after(left, out)
    code = 0 if left.complete and not left.changes else 1
    return _told(document, as_json=as_json, code=code)


@command.command("status")
@config_option
@json_option
def status(config_path: Path | None, *, as_json: bool) -> int:
    """Show both sides: the cues that the configuration needs, and those that are there.

    Exit code 1 if they differ, or if a job has no cue because the plan has no room.

    \b
    Examples:
      cronverifyd cue status
      cronverifyd cue status --json | jq '.cues[] | select(.state != "same")'
    """
    from cronverifyd.cli import cue_words
    from cronverifyd.daemon.clock import read_clock

    config = read_config(config_path)
    with _client(config) as client, _busy("CueAPI is asked …"):
        usage, look = _looker(config, client)
        found = look(client.cues())
    document = cue_words.status_document(found, usage, config)
    if not as_json:
        cue_words.print_status(document, found, usage, read_clock(), console())
    return _told(document, as_json=as_json, code=0 if document["equal"] else 1)


@command.command("secret")
@click.option(
    "--output",
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write, with mode 0600; it must not be there yet.",
)
@config_option
def secret(config_path: Path | None, output: Path) -> int:
    """Fetch the secret that CueAPI signs deliveries with, into a file of mode 0600.

    It is never printed. During a rotation write the new one into a second file, and name both in
    cueapi.signing_secrets.

    \b
    Examples:
      cronverifyd cue secret --output /etc/credstore/cueapi_webhook_secret
    """
    config = read_config(config_path)
    with _client(config) as client, _busy("CueAPI is asked …"):
        value = client.webhook_secret()
    if _write_secret(output, value):
        click.echo(f"wrote {output} (mode 0600)", err=True)
    else:
        click.echo(f"{output} has the secret already", err=True)
    click.echo(f'try: cueapi.signing_secrets = [{{ file = "{output}" }}]', err=True)
    return 0


def _told(document: dict[str, object], *, as_json: bool, code: int) -> int:
    if as_json:
        print_json(document)
    return code


def _client(config: Config) -> CueApi:
    """Open the account. Raises ConfigError where no key is configured, or none is found."""
    from cronverifyd.config.secrets import resolve
    from cronverifyd.cue.client import CueApi

    key = config.cueapi.api_key
    if key is None:
        raise ConfigError(
            f"{config.path}: cueapi.api_key: missing: the account's cues cannot be read",
            remedy='api_key = { credential = "cueapi_api_key", env = "CUEAPI_API_KEY" }',
        )
    return CueApi(config.cueapi.base_url, resolve(key, os.environ), wait=_wait)


def _looker(config: Config, client: CueApi) -> tuple[Usage, Callable[[Sequence[Cue]], Plan]]:
    """Give what the account has used, and how to compare its cues with the configuration."""
    from cronverifyd.cue.plan import plan, read_usage

    setting = _setting(config)
    usage = read_usage(client.usage())
    return usage, lambda cues: plan(config.jobs.values(), setting, cues, usage)


def _setting(config: Config) -> Setting:
    """Say how cues reach this host. Raises ConfigError where that is not configured."""
    from cronverifyd.config.secrets import resolve
    from cronverifyd.cue.wanted import Setting

    cueapi = config.cueapi
    if cueapi.transport == "webhook" and cueapi.webhook_url is None:
        raise ConfigError(
            f"{config.path}: cueapi.webhook_url: missing: CueAPI has to know where to deliver to",
            remedy='webhook_url = "https://…/verify", or transport = "worker"',
        )
    webhook = cueapi.transport == "webhook"
    shared = cueapi.shared_secret if webhook else None
    return Setting(
        instance=config.daemon.instance,
        transport=cueapi.transport,
        url=cueapi.webhook_url if webhook else None,
        secret=None if shared is None else resolve(shared, os.environ),
    )


def _make(
    client: CueApi, first: Plan, look: Callable[[Sequence[Cue]], Plan], out: Console | None
) -> tuple[list[Done], Plan]:
    """Make the changes, telling of each as it is done; give them, and what is left."""
    from cronverifyd.cli import cue_words
    from cronverifyd.cue.sync import Left
    from cronverifyd.cue.sync import sync as make

    done: list[Done] = []
    left = first
    for each in make(client, first, look):
        if isinstance(each, Left):
            left = each.plan
            continue
        done.append(each)
        if out is not None:
            cue_words.print_done(each, out)
    return done, left


def _wait(seconds: float) -> None:
    click.echo(f"cronverifyd: CueAPI asks to wait {seconds:g} s", err=True)
    time.sleep(seconds)


@contextmanager
def _busy(what: str) -> Iterator[None]:
    """Say on a terminal what is waited for; it is gone afterwards."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(words.safe(what)):
        yield


def _write_secret(path: Path, value: str) -> bool:
    """Write a new file that only its owner may read; False: it has the secret already."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, _PRIVATE)
    except FileExistsError:
        if _has(path, value):
            return False
        remedy = "name a new file; during a rotation cueapi.signing_secrets lists both"
        raise ConfigError(f"{path}: is there already", remedy=remedy) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(descriptor, _PRIVATE)
            file.write(f"{value}\n")
    except (OSError, UnicodeEncodeError) as error:
        path.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written ({type(error).__name__})") from None
    return True


def _has(path: Path, value: str) -> bool:
    """Say whether a file has the secret, and nobody but its owner may read it."""
    try:
        with path.open("rb") as file:
            private = not os.fstat(file.fileno()).st_mode & 0o077
            return private and file.read(_SECRET_BYTES).strip() == value.encode()
    except OSError:
        return False
