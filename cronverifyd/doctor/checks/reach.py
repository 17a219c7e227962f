"""Whether people are reached, and whether CueAPI reaches this host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronverifyd.doctor.finding import bad, ok, warning
from cronverifyd.judge.duration import format_duration
from cronverifyd.report.proof import OUTBOX_YOUNG, PROVEN_FOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from cronverifyd.doctor.facts import Cues, Tunnel, Way
    from cronverifyd.doctor.finding import Finding

_DRILL = "cronverifyd drill"
_UNDELIVERED = "cronverifyd alerts --undelivered"
_SHOWN = 5


def ways(found: Iterable[Way], now: datetime) -> Iterator[Finding]:
    """Say of each channel, and of the heartbeat, whether it can be used and when it last was."""
    for way in found:
        yield _heartbeat(way, now) if way.kind == "heartbeat" else _channel(way, now)


def _channel(way: Way, now: datetime) -> Finding:
    name, took = f"channel {way.name} ({way.kind})", way.took_at
    if way.error is not None:
        remedy = "sudo cronverifyd doctor; systemctl cat cronverifyd | grep -i credential"
        return bad("channel", f"{name} cannot be used: {way.error}", remedy)
    if way.refused_at is not None and (took is None or way.refused_at > took):
        return bad("channel", f"{name} has refused its last message", _UNDELIVERED)
    if way.waits_since is not None and now - way.waits_since > OUTBOX_YOUNG:
        text = f"{name} has not taken a message for {_ago(way.waits_since, now)}"
        return bad("channel", text, _UNDELIVERED)
    if took is None:
        return warning("channel", f"{name} has taken no message yet", _DRILL)
    text = f"{name} took its last message {_ago(took, now)} ago"
    return warning("channel", text, _DRILL) if now - took > PROVEN_FOR else ok("channel", text)


def _heartbeat(way: Way, now: datetime) -> Finding:
    look = "journalctl -u cronverifyd -n 50 | grep heartbeat"
    if way.error is not None:
        remedy = "systemctl cat cronverifyd | grep -i credential"
        return bad("heartbeat", f"the heartbeat cannot be sent: {way.error}", remedy)
    if way.refused_at is not None:
        ago = _ago(way.refused_at, now)
        return bad("heartbeat", f"the heartbeat was not taken {ago} ago: {way.said}", look)
    if way.took_at is None:
        return warning("heartbeat", "no heartbeat has been sent yet", "systemctl start cronverifyd")
    return ok("heartbeat", f"the heartbeat was taken {_ago(way.took_at, now)} ago")


def cues(found: Cues | None) -> Iterator[Finding]:
    """Say whether CueAPI knows this host, and asks after the jobs that it has."""
    if found is None:
        return
    if found.error is not None:
        say = bad if found.key_refused else warning
        yield say("cueapi", found.error, found.remedy or "cronverifyd cue status")
        return
    if found.changes:
        text = f"the cues at {found.host} are not those of the configuration"
        yield warning("cueapi", f"{text}: {_some(found.changes)}", "cronverifyd cue sync")
    if found.without:
        text = f"the account at {found.host} has no room for {_some(found.without)}"
        yield warning("cueapi", text, "cronverifyd cue status")
    if not found.changes and not found.without:
        yield ok("cueapi", f"{found.host} knows the key, and its {found.cues} cues are right")


def webhook(found: Tunnel | None) -> Iterator[Finding]:
    """Say whether what CueAPI sends would arrive, as far as this host can tell."""
    if found is None:
        return
    look = f"curl -sSI https://{found.host}/healthz; systemctl --all | grep -i -e tunnel -e cloudfl"
    if found.error is not None:
        yield bad("webhook", f"{found.host} gives no answer: {found.error}", look)
    elif found.status is not None and found.status >= 500:
        text = f"{found.host} answers {found.status}: nobody is behind it"
        yield bad("webhook", text, look)
    elif found.status != 200:
        text = f"{found.host} answers {found.status} to GET /healthz: it may lead elsewhere"
        yield warning("webhook", text, look)
    else:
        yield ok("webhook", f"{found.host} answers, as the trigger listener does")


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _ago(at: datetime, now: datetime) -> str:
    return format_duration(round(max(0.0, (now - at).total_seconds())))
