"""What has to change at CueAPI so that its cues are those of the configuration. Pure.

Ours are the cues with our name's beginning and our mark in their payload; no other is touched. A
change of a cue sends only the groups that differ, each of them whole, for the service replaces
groups whole; and one with a schedule, even an unchanged one, would lose a fire that is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from cronverifyd.cue.wanted import Room, Wanted, monthly, wish
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cronverifyd.cue.wanted import Setting, Wish
    from cronverifyd.model import Job

Cue = Mapping[str, Any]
"""A cue as the service shows it."""

_GROUPS = ("description", "schedule", "callback", "payload", "retry", "on_failure", "status")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Create:
    """A cue that is not there. `body`: what the service is given."""

    name: str
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Patch:
    """A cue that differs. `groups`: those that do, each whole; `was`: what they are now."""

    id: str
    name: str
    groups: Mapping[str, Any] = field(repr=False)
    was: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """A cue of ours that is not wanted any more. `why`: the end of a sentence."""

    id: str
    name: str
    why: str


Change = Create | Patch | Delete


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What the account has used of its plan. None: the service did not say.

    `executions`: of this month.
    """

    plan: str | None = None
    cues: int | None = None
    cue_limit: int | None = None
    executions: int | None = None
    execution_limit: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What has to change, in the order in which it can be done, and what stays as it is.

    `same`: the names of our cues that are right. `foreign`: how many are not ours. `taken`: names
    that we need and a foreign cue has. `cues`: all that are wanted, as the service shows them once
    all is done; `ours`: as they are.
    """

    changes: tuple[Change, ...]
    wish: Wish
    room: Room
    same: tuple[str, ...] = ()
    foreign: int = 0
    taken: tuple[str, ...] = ()
    ours: Mapping[str, Cue] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Say whether every job that a cue can serve will have one."""
        return not self.taken and not self.wish.unfit

    @property
    def monthly(self) -> int:
        """Count the executions that the wanted cues need in the fullest month, at most."""
        return monthly(self.wish.cues)


def plan(jobs: Iterable[Job], setting: Setting, existing: Sequence[Cue], usage: Usage) -> Plan:
    """Compare what is wanted with what is there.

    Deletions come first: they make room in a small plan. A cue whose transport differs is deleted
    and made anew, since the service cannot change it.
    """
    ours = {str(cue["name"]): cue for cue in existing if is_ours(cue, setting)}
    others = [cue for cue in existing if not is_ours(cue, setting)]
    room = _room(usage, others)
    wanted = wish(jobs, setting, room)
    by_name = {cue.name: cue for cue in wanted.cues}
    taken = {str(cue.get("name")) for cue in others} & by_name.keys()
    edits = {name: _edit(ours.get(name), by_name[name], setting) for name in by_name.keys() - taken}
    found: list[Change] = [
        _delete(ours[name], "no longer wanted") for name in sorted(ours.keys() - by_name.keys())
    ]
    found += [change for name in sorted(edits) for change in edits[name]]
    return Plan(
        changes=tuple(sorted(found, key=_rank)),
        wish=wanted,
        room=room,
        same=tuple(sorted(name for name, changes in edits.items() if not changes)),
        foreign=len(others),
        taken=tuple(sorted(taken)),
        ours=ours,
    )


def is_ours(cue: Cue, setting: Setting) -> bool:
    """Say whether a cue was made for this instance: by its name, and by the mark in its payload."""
    payload = _table(cue.get("payload"))
    named = str(cue.get("name")).startswith(setting.prefix)
    return named and "v" in payload and payload.get("instance") == setting.instance


def read_usage(document: Mapping[str, Any]) -> Usage:
    """Read the answer of `GET /v1/usage`; what is not a number there is as good as not said."""
    cues, executions = (_table(document.get(key)) for key in ("cues", "executions"))
    named = document.get("plan")
    return Usage(
        plan=named if isinstance(named, str) else None,
        cues=_count(cues.get("used")),
        cue_limit=_count(cues.get("limit")),
        executions=_count(executions.get("used")),
        execution_limit=_count(executions.get("limit")),
    )


def warnings(found: Plan, usage: Usage) -> list[str]:
    """Say, before anything is changed, what the account's plan has no room for."""
    said = []
    if found.wish.shared:
        said.append("the plan has no room for a cue a job: jobs that fall due together share one")
    if found.wish.unfit:
        jobs = plural(len(found.wish.unfit), "job")
        said.append(f"{jobs} will have no cue, for the plan has no room: {_named(found)}")
    if usage.execution_limit is not None and _used_up(usage):
        said.append(
            f"{usage.executions} of this month's {usage.execution_limit} executions are used"
        )
    return said


def differences(change: Patch) -> list[str]:
    """Say what a patch changes, a line each; values of headers are secrets and not shown."""
    lines = []
    for group, value in change.groups.items():
        before, after = change.was.get(group), _normal(group, value)
        pairs = _leaves(before, after) if isinstance(after, Mapping) else [("", before, after)]
        lines += [
            f"{group}{key}: {_shown(key, old)} → {_shown(key, new)}" for key, old, new in pairs
        ]
    return lines


def _room(usage: Usage, others: Sequence[Cue]) -> Room:
    """Take the cues of others off; those that are over (`once`) do not count."""
    counted = sum(cue.get("status") in {"active", "paused", None} for cue in others)
    cues = None if usage.cue_limit is None else max(0, usage.cue_limit - counted)
    return Room(cues=cues, executions=usage.execution_limit)


def _edit(cue: Cue | None, wanted: Wanted, setting: Setting) -> list[Change]:
    body = wanted.document(setting)
    if cue is None:
        return [Create(name=wanted.name, body=body)]
    if cue.get("transport", setting.transport) != setting.transport:
        why = f"its transport is {cue['transport']}, and cannot be changed"
        return [_delete(cue, why), Create(name=wanted.name, body=body)]
    wish_of = {"status": "active", **body}
    was = {group: _normal(group, cue[group]) for group in _GROUPS if group in cue}
    groups = {
        group: wish_of[group]
        for group in was
        if group in wish_of and was[group] != _normal(group, wish_of[group])
    }
    if not groups:
        return []
    return [Patch(id=str(cue["id"]), name=wanted.name, groups=groups, was=was)]


def _normal(group: str, value: Any) -> Any:
    """Reduce a group to what we set in it, written as the service writes it.

    A group that the service does not show is not compared.
    """
    if not isinstance(value, Mapping):
        return value
    if group == "schedule":
        return {key: value.get(key) for key in ("type", "cron", "timezone")}
    if group == "callback":
        headers = dict(value.get("headers") or {})
        return {"url": _url(value.get("url")), "method": value.get("method"), "headers": headers}
    if group == "retry":
        return {key: value.get(key) for key in ("max_attempts", "backoff_minutes")}
    if group == "on_failure":
        return {key: value.get(key) for key in ("email", "webhook", "pause")}
    return dict(value)


def _url(url: object) -> str | None:
    """Write a URL as the service does: host in lower case, no default port, a slash at least."""
    if not isinstance(url, str):
        return None
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    netloc = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))
    return urlunsplit((scheme, netloc, parts.path or "/", parts.query, parts.fragment))


def _delete(cue: Cue, why: str) -> Delete:
    return Delete(id=str(cue["id"]), name=str(cue["name"]), why=why)


def _rank(change: Change) -> int:
    return [Delete, Patch, Create].index(type(change))


def _leaves(before: Any, after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """List the pairs of values that differ, by the path of their keys."""
    before = before if isinstance(before, Mapping) else {}
    found: list[tuple[str, Any, Any]] = []
    for key in sorted({*before, *after}, key=str):
        old, new = before.get(key), after.get(key)
        if isinstance(new, Mapping):
            found += [(f".{key}{below}", a, b) for below, a, b in _leaves(old, new)]
        elif old != new:
            found.append((f".{key}", old, new))
    return found


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "none"
    return "[redacted]" if key.startswith(".headers.") else str(value)


def _named(found: Plan, most: int = 10) -> str:
    names = list(found.wish.unfit)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _used_up(usage: Usage) -> bool:
    return (usage.executions or 0) >= 0.9 * (usage.execution_limit or 0)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
