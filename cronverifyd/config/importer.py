"""From the tutorial's `cron_config.json` to a configuration file of ours.

Its format: {"jobs": [{"name", "cron_utc", "max_duration_min", "expected_status"}]}, times in UTC.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from cronverifyd.config import readers
from cronverifyd.config.readers import RefusedError, did_you_mean, got, quoted
from cronverifyd.config.sheet import dotted
from cronverifyd.errors import ConfigError, ScheduleError
from cronverifyd.judge import schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEAD = """\
# Imported from cron_config.json. Relative paths start from the folder of this file.

[daemon]
timezone = "UTC"  # the times of cron_config.json are in UTC

[cueapi]
# What POST /verify wants to see in the header X-Cue-Secret.
shared_secret = { env = "CUEAPI_WEBHOOK_SECRET" }
"""
_SLACK = """\
[channels.slack]
kind = "slack"
url = { env = "SLACK_WEBHOOK_URL" }
"""
_NO_SLACK = "# With no channel, alerts are printed where the daemon runs. To tell Slack instead:\n"
_JOBS = """\
# A job must have ended at its time + max_duration + grace; grace is 5 minutes by default.
"""
_LONGEST_MIN = 366 * 24 * 60


def import_tutorial(
    text: str, *, environ: Mapping[str, str], file: str = "cron_config.json"
) -> str:
    """Turn the JSON text into the text of a configuration file.

    `environ`: where it has SLACK_WEBHOOK_URL, a Slack channel is written, else one in comments.
    `file`: the JSON file's name, for errors. Raises ConfigError with all problems, one a line.
    """
    entries, problems = _entries(_parse(text, file))
    jobs: list[Mapping[str, Any]] = []
    first: dict[str | int, int] = {}
    for index, entry in enumerate(entries):
        job, faults = _job(entry)
        earlier = first.setdefault(job.get("name", index), index)
        if earlier != index:
            faults.append(f"name: jobs[{earlier}] has it already")
        problems += [f"{_label(index, entry)}: {fault}" for fault in faults]
        jobs.append(job)
    if problems:
        raise ConfigError("\n".join(f"{file}: {problem}" for problem in problems))
    return "\n".join([_HEAD, _slack(environ), _JOBS, *map(_toml, jobs)])


def _parse(text: str, file: str) -> Any:
    """Parse JSON without the liberties of Python's module: no NaN, no key twice."""
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_key_twice)
    except json.JSONDecodeError as error:
        place = f"{file}:{error.lineno}: not valid JSON at column {error.colno}"
        raise ConfigError(f"{place}: {error.msg}") from None
    except RecursionError:
        raise ConfigError(f"{file}: not valid JSON: nested too deeply") from None
    except (RefusedError, ValueError) as error:  # ValueError: a number of more than 4,300 digits
        raise ConfigError(f"{file}: not valid JSON: {error}") from None


def _no_constant(word: str) -> NoReturn:
    raise RefusedError(f"{word} is not a number")


def _no_key_twice(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RefusedError(f"the key {quoted(key)} stands twice in one object")
        found[key] = value
    return found


def _entries(document: Any) -> tuple[Sequence[Any], list[str]]:
    """Find the list of jobs, and what is wrong around it."""
    if not isinstance(document, dict):
        return (), ['must be an object such as {"jobs": [...]}']
    problems = [
        f"{dotted((key,))}: unknown key{did_you_mean(key, ['jobs'])}"
        for key in document
        if key != "jobs"
    ]
    jobs = document.get("jobs")
    if isinstance(jobs, list) and jobs:
        return jobs, problems
    return (), [*problems, "jobs: must be a list of at least one job"]


def _label(index: int, entry: Any) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    readable = isinstance(name, str) and name.isprintable() and 0 < len(name) <= 100
    return f"jobs[{index}] ({name})" if readable else f"jobs[{index}]"


def _job(entry: Any) -> tuple[dict[str, Any], list[str]]:
    """Read one job: the values that can be used, and what is wrong with the others."""
    if not isinstance(entry, dict):
        return {}, [f"must be an object {got(entry)}"]
    job: dict[str, Any] = {}
    faults = [
        f"{dotted((key,))}: unknown key{did_you_mean(key, _KEYS)}"
        for key in entry
        if key not in _KEYS
    ]
    faults += [f"{key}: missing" for key in ("name", "cron_utc") if key not in entry]
    for key, read in _KEYS.items():
        if key not in entry:
            continue
        try:
            job[key] = read(entry[key])
        except RefusedError as error:
            faults.append(f"{key}: {error}")
    return job, faults


def _name(value: Any) -> str:
    try:
        return readers.name(readers.text(value))
    except RefusedError as error:
        fitting = re.sub(r"[^A-Za-z0-9._-]+", "-", str(value)).strip("._-")[:100]
        proposal = f' (such as "{fitting}")' if isinstance(value, str) and fitting else ""
        raise RefusedError(f"{error}{proposal}") from None


def _cron(value: Any) -> str:
    try:
        schedule.parse(readers.text(value), "UTC")
    except ScheduleError as error:
        raise RefusedError(str(error)) from None
    return str(value)


def _minutes(value: Any) -> str:
    """Turn minutes, also parts of them, into a duration as we write it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(f"must be a number of minutes {got(value)}")
    if not 0.001 <= value <= _LONGEST_MIN:
        raise RefusedError(f"must be more than 0 and at most {_LONGEST_MIN} {got(value)}")
    milliseconds = round(value * 60_000)
    for unit, size in (("m", 60_000), ("s", 1_000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


_KEYS = {
    "name": _name,
    "cron_utc": _cron,
    "max_duration_min": _minutes,
    "expected_status": readers.status,
}
_OURS = {
    "cron_utc": "schedule",
    "max_duration_min": "max_duration",
    "expected_status": "expected_status",
}


def _slack(environ: Mapping[str, str]) -> str:
    if environ.get("SLACK_WEBHOOK_URL"):
        return _SLACK
    return _NO_SLACK + "".join(f"# {line}\n" for line in _SLACK.splitlines())


def _toml(job: Mapping[str, Any]) -> str:
    """Write one job; a JSON text of printable characters is a TOML text as well."""
    lines = [f"[{dotted(('jobs', job['name']))}]"]
    lines += [f"{ours} = {quoted(job[key])}" for key, ours in _OURS.items() if key in job]
    return "\n".join(lines) + "\n"
