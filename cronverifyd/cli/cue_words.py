"""How both sides of CueAPI are shown: as documents, and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronverifyd.cli import words
from cronverifyd.cue.plan import Create, Delete, Patch, differences, warnings
from cronverifyd.judge.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rich.console import Console
    from rich.text import Text

    from cronverifyd.config.pieces import Config
    from cronverifyd.cue.plan import Change, Plan, Usage
    from cronverifyd.cue.sync import Done
    from cronverifyd.cue.wanted import Wanted

_VERBS = {Create: "create", Patch: "change", Delete: "delete"}
_STYLES = {
    "create": "green",
    "change": "yellow",
    "delete": "red",
    "same": "green",
    "absent": "bold red",
    "differs": "yellow",
    "unwanted": "yellow",
    "taken": "bold red",
}
_NAME_CHARACTERS = 255


# ---- documents ------------------------------------------------------------------------------


def sync_document(found: Plan, usage: Usage, done: Sequence[Done]) -> dict[str, Any]:
    """Describe a sync: what was changed (`made`), and what still has to be (`left`)."""
    return {
        "equal": found.complete and not found.changes,
        "made": [
            {**_change(each.change, found), "error": each.error and str(each.error)}
            for each in done
        ],
        "left": [_change(change, found) for change in found.changes],
        "unchanged": list(found.same),
        **_common(found, usage),
    }


def status_document(found: Plan, usage: Usage, config: Config) -> dict[str, Any]:
    """Describe both sides, a cue each."""
    return {
        "equal": found.complete and not found.changes,
        "instance": config.daemon.instance,
        "transport": config.cueapi.transport,
        "base_url": config.cueapi.base_url,
        "cues": _cues(found),
        **_common(found, usage),
    }


def _common(found: Plan, usage: Usage) -> dict[str, Any]:
    return {
        "foreign": found.foreign,
        "shared": found.wish.shared,
        "monthly": found.monthly,
        "without": _reasons(found.wish.without),
        "unfit": _reasons(found.wish.unfit),
        "taken": list(found.taken),
        "notes": _reasons(found.wish.notes),
        "warnings": warnings(found, usage),
        "usage": {
            "plan": usage.plan,
            "cues": usage.cues,
            "cue_limit": usage.cue_limit,
            "executions": usage.executions,
            "execution_limit": usage.execution_limit,
        },
    }


def _change(change: Change, found: Plan) -> dict[str, Any]:
    wanted = next((cue for cue in found.wish.cues if cue.name == change.name), None)
    return {
        "do": _VERBS[type(change)],
        "cue": change.name,
        "jobs": list(wanted.jobs) if wanted else [],
        "schedule": wanted.timing.cron if wanted else None,
        "timezone": wanted.timing.timezone if wanted else None,
        "differences": differences(change) if isinstance(change, Patch) else [],
        "why": change.why if isinstance(change, Delete) else None,
    }


def _reasons(of: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"job": job, "reason": reason} for job, reason in of.items()]


def _cues(found: Plan) -> list[dict[str, Any]]:
    wanted = {cue.name: cue for cue in found.wish.cues}
    names = sorted(wanted.keys() | found.ours.keys())
    return [_cue(name, wanted.get(name), found) for name in names]


def _cue(name: str, wanted: Wanted | None, found: Plan) -> dict[str, Any]:
    there = found.ours.get(name, {})
    schedule = there.get("schedule") or {}
    patches = {change.name: change for change in found.changes if isinstance(change, Patch)}
    return {
        "cue": name,
        "id": there.get("id"),
        "state": _state(name, wanted, found),
        "jobs": list(wanted.jobs) if wanted else [],
        "schedule": wanted.timing.cron if wanted else None,
        "timezone": wanted.timing.timezone if wanted else None,
        "schedule_there": schedule.get("cron"),
        "timezone_there": schedule.get("timezone"),
        "status": there.get("status"),
        "next_run": there.get("next_run"),
        "differences": differences(patches[name]) if name in patches else [],
    }


def _state(name: str, wanted: Wanted | None, found: Plan) -> str:
    if wanted is None:
        return "unwanted"
    if name in found.taken:
        return "taken"
    if name not in found.ours:
        return "absent"
    return "same" if name in found.same else "differs"


# ---- tables ---------------------------------------------------------------------------------


def print_before(found: Plan, usage: Usage, instance: str, out: Console) -> None:
    """Show what a sync will change, after what the account has no room for."""
    out.print(f"{words.safe(instance)}: {_account(found, usage)}")
    for warning in warnings(found, usage):
        _line(out, "warning", "bold yellow", warning)
    for change in found.changes:
        _print_change(change, found, out)
    _print_reasons(found, out)
    if not found.changes:
        out.print("nothing is to be changed")


def print_done(done: Done, out: Console) -> None:
    """Say what came of one change."""
    verb, name = _VERBS[type(done.change)], words.safe(done.change.name, _NAME_CHARACTERS)
    if done.error is None:
        past = verb.removesuffix("e") + "ed"
        _line(out, past, _STYLES[verb], name)
        return
    _line(out, "failed", "bold red", f"to {verb} {name}: {words.safe(str(done.error))}")
    if done.error.remedy:
        out.print(f"         try: {done.error.remedy}", soft_wrap=True)


def print_after(left: Plan, out: Console) -> None:
    """Say how it ended."""
    if left.changes:
        out.print(f"{plural(len(left.changes), 'change')} left undone", style="bold red")
    elif not left.complete:
        out.print("some jobs have no cue: see above", style="bold yellow")
    else:
        out.print("both sides are equal")


def print_status(
    document: Mapping[str, Any], found: Plan, usage: Usage, now: datetime, out: Console
) -> None:
    """Show a row a cue, and who has none."""
    from cronverifyd.cli.table import Column, lay_out

    columns = (
        Column(title="CUE", least=16),
        Column(title="STATE"),
        Column(title="SCHEDULE", least=9, drop=1),
        Column(title="ZONE", drop=2),
        Column(title="NEXT", drop=3),
        Column(title="JOBS", least=8, drop=4),
    )
    out.print(f"{words.safe(document['instance'])}: {_account(found, usage)}")
    if document["cues"]:
        rows = [_row(cue, now) for cue in document["cues"]]
        for line in lay_out(columns, rows, out.width):
            out.print(line)
    for cue in document["cues"]:
        for difference in cue["differences"]:
            out.print(f"{words.safe(cue['cue'], 255)}: {words.safe(difference)}", soft_wrap=True)
    for warning in document["warnings"]:
        _line(out, "warning", "bold yellow", warning)
    _print_reasons(found, out)
    out.print("both sides are equal" if document["equal"] else "try: cronverifyd cue sync")


def _account(found: Plan, usage: Usage) -> str:
    """Say how much is needed, and how much the account has."""
    needs = f"needs {plural(len(found.wish.cues), 'cue')}"
    needs += f" and up to {plural(found.monthly, 'execution')} a month"
    plan = f"; plan {words.safe(usage.plan, 40)}" if usage.plan else ""
    counts = (
        (usage.cues, usage.cue_limit, "cues"),
        (usage.executions, usage.execution_limit, "executions this month"),
    )
    used = [f"{some} of {most} {what}" for some, most, what in counts if None not in {some, most}]
    others = f"; {plural(found.foreign, 'cue')} of others left alone" if found.foreign else ""
    return (
        f"{needs}{plan}{': ' if plan and used else '; ' if used else ''}{', '.join(used)}{others}"
    )


def _print_change(change: Change, found: Plan, out: Console) -> None:
    shown = _change(change, found)
    told = words.safe(change.name, _NAME_CHARACTERS)
    if isinstance(change, Create):
        told += f"  {shown['schedule']}  {shown['timezone']}  {' '.join(shown['jobs'])}"
    if shown["why"]:
        told += f"  ({words.safe(shown['why'])})"
    _line(out, shown["do"], _STYLES[shown["do"]], told)
    for difference in shown["differences"]:
        out.print(f"         {words.safe(difference)}", soft_wrap=True)


def _print_reasons(found: Plan, out: Console) -> None:
    for name in found.taken:
        told = f"{words.safe(name, _NAME_CHARACTERS)} is the name of a cue that is not ours"
        _line(out, "taken", "bold red", told)
    for job, reason in found.wish.unfit.items():
        _line(out, "no room", "bold yellow", f"{job}: {reason}")
    for job, reason in found.wish.without.items():
        _line(out, "no cue", "dim", f"{job}: {reason}")
    for job, note in found.wish.notes.items():
        _line(out, "note", "dim", f"{job}: {note}")


def _row(cue: Mapping[str, Any], now: datetime) -> tuple[Text | str, ...]:
    from rich.text import Text

    return (
        words.safe(cue["cue"], _NAME_CHARACTERS),
        Text(cue["state"], style=_STYLES[cue["state"]]),
        words.safe(str(cue["schedule"] or cue["schedule_there"] or "-"), 200),
        words.safe(str(cue["timezone"] or cue["timezone_there"] or "-"), 60),
        _next(cue, now),
        " ".join(cue["jobs"]) or "-",
    )


def _next(cue: Mapping[str, Any], now: datetime) -> str:
    """Say when the service will fire a cue; the instant is the service's own text."""
    if cue["status"] == "paused":
        return "paused"
    try:
        return words.ago(cue["next_run"], now) if cue["next_run"] else "-"
    except (TypeError, ValueError):
        return words.safe(str(cue["next_run"]), 30)


def _line(out: Console, word: str, style: str, told: str) -> None:
    from rich.text import Text

    out.print(Text.assemble((f"{word:<8}", style), " ", told), soft_wrap=True)
