"""Who is told, and who triggers: channels, heartbeat, CueAPI and the tunnel; nothing is sent."""

from __future__ import annotations

import shutil
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cronverifyd.config.secrets import resolve
from cronverifyd.cue.client import CueApi, CueError, KeyRefusedError
from cronverifyd.cue.plan import plan, read_usage
from cronverifyd.cue.wanted import Setting
from cronverifyd.doctor.facts import Cues, Tunnel, Way
from cronverifyd.errors import ConfigError, CronverifydError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronverifyd.config.pieces import Config
    from cronverifyd.doctor.facts import Past
    from cronverifyd.model import Channel, Secret

_ANSWERS_WITHIN_S = 3.0
_TIMEOUTS_S = (2.0, 3.0)


def ways(config: Config, past: Past, environ: Mapping[str, str]) -> tuple[Way, ...]:
    """Look at each channel, and at the heartbeat where there is one."""
    channels = tuple(_channel(each, past, environ) for each in config.channels.values())
    if config.heartbeat is None:
        return channels
    at, said = past.beat or (None, "")
    heart = Way(
        name="heartbeat",
        kind="heartbeat",
        error=_missing((config.heartbeat.url,), environ),
        took_at=None if said else at,
        refused_at=at if said else None,
        said=said or None,
    )
    return (*channels, heart)


def cues(config: Config, environ: Mapping[str, str]) -> Cues | None:
    """Compare CueAPI's cues with the configuration; None where it is not to trigger.

    Raises nothing: why nothing is known is part of the facts.
    """
    cueapi = config.cueapi
    if cueapi.transport == "off":
        return None
    host = urlsplit(cueapi.base_url).hostname or cueapi.base_url
    if cueapi.api_key is None:
        return Cues(host=host, error="cueapi.api_key is not set: its cues cannot be compared")
    try:
        setting = _setting(config, environ)
        key = resolve(cueapi.api_key, environ)
        whole_s = 2 * _ANSWERS_WITHIN_S
        with CueApi(cueapi.base_url, key, timeouts_s=_TIMEOUTS_S, whole_s=whole_s) as client:
            usage = read_usage(client.usage())
            found = plan(config.jobs.values(), setting, client.cues(), usage)
    except CronverifydError as error:
        refused = isinstance(error, KeyRefusedError | ConfigError | CueError)
        return Cues(host=host, error=str(error), remedy=error.remedy, key_refused=refused)
    return Cues(
        host=host,
        cues=len(found.same),
        changes=tuple(change.name for change in found.changes),
        without=tuple(found.wish.unfit),
    )


def webhook(config: Config) -> Tunnel | None:
    """Ask the host of the address that CueAPI delivers to; None where there is none."""
    url = config.cueapi.webhook_url
    return tunnel(url) if url is not None and config.cueapi.transport == "webhook" else None


def tunnel(url: str) -> Tunnel:
    """Ask what answers beside an address, at /healthz."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(host, parts.port, timeout=_ANSWERS_WITHIN_S)
    try:
        connection.request("GET", parts.path.rpartition("/")[0] + "/healthz")
        return Tunnel(host=host, status=connection.getresponse().status)
    except (OSError, HTTPException) as error:
        words = getattr(error, "strerror", None) or type(error).__name__
        return Tunnel(host=host, error=str(words))
    finally:
        connection.close()


def _setting(config: Config, environ: Mapping[str, str]) -> Setting:
    """Say how cues reach this host."""
    cueapi = config.cueapi
    by_webhook = cueapi.transport == "webhook"
    shared = cueapi.shared_secret if by_webhook else None
    return Setting(
        instance=config.daemon.instance,
        transport=cueapi.transport,
        url=cueapi.webhook_url if by_webhook else None,
        secret=None if shared is None else resolve(shared, environ),
    )


def _channel(channel: Channel, past: Past, environ: Mapping[str, str]) -> Way:
    mail = channel.mail
    secrets = (channel.url, channel.secret, mail.password if mail else None)
    return Way(
        name=channel.name,
        kind=channel.kind,
        error=_missing(secrets, environ) or _no_program(channel),
        took_at=past.took.get(channel.name),
        refused_at=past.refused.get(channel.name),
        waits_since=past.waits.get(channel.name),
    )


def _missing(secrets: tuple[Secret | None, ...], environ: Mapping[str, str]) -> str | None:
    """Say which secret cannot be had, or None."""
    try:
        for secret in secrets:
            if secret is not None:
                resolve(secret, environ)
    except ConfigError as error:
        return str(error)
    return None


def _no_program(channel: Channel) -> str | None:
    """Say that the program of a channel is not there, or None."""
    program = channel.command[0] if channel.command else None
    if channel.mail is not None and channel.mail.server is None:
        program = shutil.which("sendmail") or "/usr/sbin/sendmail"
    if program is None or shutil.which(program) is not None:
        return None
    return f"there is no program {program} that can be started"
