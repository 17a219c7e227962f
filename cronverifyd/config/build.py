"""From single values to the pieces: what takes more than one value, or a look at the host."""

from __future__ import annotations

import glob
import ipaddress
import math
import pwd
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from tzlocal import get_localzone_name

from cronverifyd.config.addresses import is_loopback
from cronverifyd.config.channels import channel
from cronverifyd.config.pieces import Alerts, Config, Cueapi, Daemon, Heart, Listen
from cronverifyd.config.readers import did_you_mean
from cronverifyd.errors import ScheduleError
from cronverifyd.judge import schedule
from cronverifyd.judge.duration import format_duration
from cronverifyd.model import DRILL, ArtifactRule, Channel, Job, Maintenance

if TYPE_CHECKING:
    from cronverifyd.config.locate import Keys
    from cronverifyd.config.site import Site
    from cronverifyd.judge.schedule import Schedule

_MAX_DURATION_S = 3600.0
_GRACE_S = 300.0
_BEAT_S, _FASTEST_BEAT_S = 60.0, 1.0
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_MOST_WINDOWS = 2_000
_CONSOLE = Channel(name="console", kind="console")
_OWN_FILES = ("rejected.jsonl", "journal.jsonl", "cronverifyd.sqlite3", "trigger.secret")

_Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Common:
    """What holds for every job that says nothing else; `channels`: all names that exist."""

    timezone: str
    channels: Collection[str]
    route: tuple[str, ...]


def build(values: _Values, site: Site) -> Config:
    """Build the pieces of values that the schema has read; the site's sheet has what is wrong.

    Where it has a problem, the pieces are of no use.
    """
    daemon = _daemon(values["daemon"], site)
    listen = _listen(values["listen"], site)
    cueapi = _cueapi(values["cueapi"], listen, site)
    channels = _channels(values["channels"], site)
    route = values["alerts"]["channels"] or tuple(channels)
    _check_route(route, channels, ("alerts", "channels"), site)
    _check_route(values["alerts"]["second"], channels, ("alerts", "second"), site)
    common = _Common(timezone=daemon.timezone, channels=channels, route=route)
    jobs = {name: _job(name, job, common, site) for name, job in values["jobs"].items()}
    if DRILL in jobs:
        site.sheet.problem(("jobs", DRILL), "this name is kept for drills")
    if not jobs:
        site.sheet.warning((), "no jobs are configured: nothing is watched")
    config = Config(
        path=site.path,
        daemon=daemon,
        listen=listen,
        cueapi=cueapi,
        channels=channels,
        jobs=jobs,
        route=route,
        alerts=_alerts(values["alerts"], site),
        heartbeat=_heartbeat(values["heartbeat"], site),
        warnings=(),
    )
    _warn_of_deaf(config, site)
    return replace(config, warnings=site.sheet.warnings())


def _listen(values: _Values, site: Site) -> Listen:
    trigger, status = values["trigger"], values["status"]
    if trigger is not None and trigger == status:
        site.sheet.problem(("listen", "status"), "is the trigger's address: one of them must move")
    return Listen(trigger=trigger, status=status, names=frozenset(values["names"]))


def _alerts(values: _Values, site: Site) -> Alerts:
    remind = tuple(values["remind"])
    if list(remind) != sorted(set(remind)):
        site.sheet.problem(("alerts", "remind"), "must rise: each is counted from the opening")
    return Alerts(
        second=values["second"],
        remind_s=remind,
        gather_s=values["gather"],
        drills=values["drill"] == "weekly",
    )


def _heartbeat(values: _Values, site: Site) -> Heart | None:
    """Build the heartbeat; None where the table is not there, or names no address."""
    every_s, keys = values["every"] or _BEAT_S, ("heartbeat", "url")
    if every_s < _FASTEST_BEAT_S:
        sentence = f"must be at least {format_duration(_FASTEST_BEAT_S)}"
        site.sheet.problem(("heartbeat", "every"), sentence)
    if values["url"] is not None:
        return Heart(url=site.secret(values["url"], keys)[0], every_s=every_s)
    if values["every"] is not None and site.sheet.sound(keys):
        site.sheet.problem(keys, "missing: nobody would hear the heartbeat")
    return None


def _warn_of_deaf(config: Config, site: Site) -> None:
    """Warn of jobs whose alerts nobody takes."""
    scope = config.scope()
    for name, job in scope.watched().items():
        if not scope.route(job.severity, job):
            sentence = f"no channel takes its alerts: none wants {job.severity} ones of it"
            site.sheet.warning(("jobs", name), sentence)


def _daemon(values: _Values, site: Site) -> Daemon:
    state_dir = site.folder / values["state_dir"]
    # The folder's own name is no pattern, whatever characters it has.
    patterns = values["outcomes"] or (glob.escape(str(state_dir / "outcomes.jsonl")),)
    folder = Path(glob.escape(str(site.folder)))
    outcomes = tuple(dict.fromkeys(str(folder / pattern) for pattern in patterns))
    for pattern in patterns:
        _check_pattern(pattern, folder, state_dir, site)
    return Daemon(
        state_dir=state_dir,
        outcomes=outcomes,
        timezone=values["timezone"] or _host_zone(site),
        instance=values["instance"] or socket.gethostname(),
    )


def _check_pattern(pattern: str, folder: Path, state_dir: Path, site: Site) -> None:
    """Refuse a pattern that takes in what the daemon itself writes: that would never end."""
    for name in _OWN_FILES:
        if fnmatch(str(state_dir / name), str(folder / pattern)):
            sentence = f'"{pattern}" takes in {name}, which the daemon writes itself'
            site.sheet.problem(("daemon", "outcomes"), sentence)


def _host_zone(site: Site) -> str:
    """Find the host's zone, as its cron has it; UTC, with a warning, if it has no name here."""
    try:
        return ZoneInfo(get_localzone_name()).key
    except (KeyError, ValueError, TypeError, OSError):  # TypeError: there is no name at all
        sentence = "the host's time zone has no name that is known here: UTC is taken"
        site.sheet.warning(("daemon", "timezone"), sentence)
        return "UTC"


def _cueapi(values: _Values, listen: Listen, site: Site) -> Cueapi:
    if values["transport"] == "webhook" and listen.trigger is None:
        site.sheet.problem(("cueapi", "transport"), '"webhook" needs listen.trigger, which is off')
    _check_urls(values, site)
    signing, shared, key = values["signing_secrets"], values["shared_secret"], values["api_key"]
    if values["transport"] == "worker" and key is None and site.sheet.sound(("cueapi", "api_key")):
        site.sheet.problem(("cueapi", "transport"), '"worker" needs cueapi.api_key')
    return Cueapi(
        transport=values["transport"],
        base_url=values["base_url"].rstrip("/"),
        webhook_url=values["webhook_url"],
        api_key=key and site.secret(key, ("cueapi", "api_key"))[0],
        signing_secrets=tuple(
            site.secret(secret, ("cueapi", "signing_secrets", index))[0]
            for index, secret in enumerate(signing)
        ),
        shared_secret=shared and site.secret(shared, ("cueapi", "shared_secret"))[0],
        fallback_after_s=values["fallback_after"],
    )


def _check_urls(values: _Values, site: Site) -> None:
    """Refuse addresses that would bear the key in the open, or that CueAPI itself refuses.

    A service on this host (a stand-in for tests) reaches what this host reaches.
    """
    base, hook = urlsplit(values["base_url"]), urlsplit(values["webhook_url"] or "")
    here = is_loopback(base.hostname or "")
    for key, url in ("base_url", base), ("webhook_url", hook):
        if url.username or url.password:
            site.sheet.problem(("cueapi", key), "must not bear a name or a password")
        elif url.scheme == "http" and not here:
            site.sheet.problem(("cueapi", key), "must be an https:// URL")
    if not here and hook.hostname and not _may_be_public(hook.hostname):
        sentence = "is no address on the internet, and CueAPI delivers to no other"
        site.sheet.problem(("cueapi", "webhook_url"), f'{sentence}; try: transport = "worker"')


def _may_be_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host.strip(".")


def _channels(values: Mapping[str, _Values], site: Site) -> dict[str, Channel]:
    if not values:
        sentence = "no channels are configured: alerts are printed where the daemon runs"
        site.sheet.warning((), sentence)
        return {_CONSOLE.name: _CONSOLE}
    return {name: channel(name, found, site) for name, found in values.items()}


def _check_route(names: tuple[str, ...], channels: Collection[str], keys: Keys, site: Site) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            site.sheet.problem((*keys, index), "stands in the list twice")
        if name not in channels:
            sentence = f'there is no channel "{name}"{did_you_mean(name, channels)}'
            site.sheet.problem((*keys, index), sentence)


def _job(name: str, values: _Values, common: _Common, site: Site) -> Job:
    keys: Keys = ("jobs", name)
    timezone = values["timezone"] or common.timezone
    calendar = _schedule(values["schedule"], timezone, keys, site)
    gap_s = calendar.shortest_gap_s if calendar else math.inf
    job = Job(
        name=name,
        schedule=values["schedule"],
        timezone=timezone,
        max_duration_s=values["max_duration"] or min(_MAX_DURATION_S, gap_s),
        grace_s=values["grace"] or min(_GRACE_S, gap_s / 2),
        start_within_s=values["start_within"],
        expected_status=values["expected_status"],
        expect=tuple(values["expect"]),
        artifacts=_artifacts(values["artifact"], keys, site),
        tolerate=values["tolerate"],
        recover_after=values["recover_after"],
        maintenance=_maintenance(values["maintenance"], timezone, keys, site),
        severity=values["severity"],
        channels=values["channels"] or (),
        tags=tuple(values["tags"]),
        runbook=values["runbook"],
        enabled=values["enabled"],
        user=values["user"],
        user_uid=_uid(values["user"], (*keys, "user"), site),
    )
    # A mistyped key might have set the window.
    if site.sheet.sound(keys) or (values["max_duration"] and values["grace"]):
        _check_start_within(job, keys, site)
    _check_route(values["channels"] or (), common.channels, (*keys, "channels"), site)
    return job


def _uid(user: str | None, keys: Keys, site: Site) -> int | None:
    """Find a user's number; None, with a warning, where there is no such user on this host."""
    if user is None:
        return None
    if user.isdecimal() and user.isascii():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        guess = did_you_mean(user, (each.pw_name for each in pwd.getpwall()))
        sentence = f'this host has no user "{user}"{guess}: only root\'s outcomes count'
        site.sheet.warning(keys, f"{sentence}, until there is one and this file is read again")
        return None


def _artifacts(rules: Sequence[_Values], keys: Keys, site: Site) -> tuple[ArtifactRule, ...]:
    """Build the rules of a job's artifacts; a relative path starts from the file's folder."""
    folder = Path(glob.escape(str(site.folder)))
    found: dict[str, ArtifactRule] = {}
    for index, values in enumerate(rules):
        if values["path"] is None:
            continue  # there is none, or none that can be used: a problem already
        path = str(folder / values["path"])
        if path in found:
            sentence = "stands in another rule of this job as well"
            site.sheet.problem((*keys, "artifact", index, "path"), sentence)
        found[path] = ArtifactRule(
            path=path,
            min_size=values["min_size"],
            shrink=values["shrink"],
            changed=values["changed"],
            opens=values["opens"],
        )
    return tuple(found.values())


def _maintenance(
    windows: Sequence[_Values], timezone: str, keys: Keys, site: Site
) -> tuple[Maintenance, ...]:
    return tuple(
        _window(values, timezone, (*keys, "maintenance", index), site)
        for index, values in enumerate(windows)
    )


def _window(values: _Values, timezone: str, keys: Keys, site: Site) -> Maintenance:
    written, duration_s = values["schedule"], values["duration"]
    readable = _schedule(written, timezone, keys, site) is not None
    if readable and duration_s and _never_ends(written, duration_s):
        sentence = f"would never end: the next window begins within {format_duration(duration_s)}"
        site.sheet.problem((*keys, "duration"), sentence)
    return Maintenance(schedule=written, duration_s=duration_s, mode=values["mode"])


def _never_ends(written: str, duration_s: float) -> bool:
    """Say whether windows follow one another without a gap, 2,000 in a row.

    It is the longest gap that counts: a window of two days may begin every Saturday at 0:00 and at
    12:00. UTC, since the longer day of a clock change is no gap that anybody meant.
    """
    calendar, duration = schedule.parse(written, "UTC"), timedelta(seconds=duration_s)
    begun = calendar.latest_at(_SOME_DAY)
    for _ in range(_MOST_WINDOWS):
        newest = begun and calendar.latest_at(begun + duration)
        if newest == begun:
            return False
        begun = newest
    return True


def _schedule(written: str | None, timezone: str, keys: Keys, site: Site) -> Schedule | None:
    """Read the schedule of a job or a window; None where it cannot be read."""
    if written is None:
        return None
    try:
        return schedule.parse(written, timezone)
    except ScheduleError as error:
        site.sheet.problem((*keys, "schedule"), str(error))
        return None


def _check_start_within(job: Job, keys: Keys, site: Site) -> None:
    window_s = job.max_duration_s + job.grace_s
    if job.start_within_s is not None and job.start_within_s > window_s:
        sentence = f"must not be longer than max_duration + grace ({format_duration(window_s)})"
        site.sheet.problem((*keys, "start_within"), sentence)
