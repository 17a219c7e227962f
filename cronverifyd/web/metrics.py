"""What Prometheus is told: the text that it scrapes.

Labels are bounded: jobs and channels of the configuration, verdicts, states of a message, and the
outcome files that are followed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from cronverifyd import __version__
from cronverifyd.model import AlertState, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric

    from cronverifyd.model import Mark
    from cronverifyd.store.reader import Pile, Reader, Timing

OPEN_METRICS = "application/openmetrics-text"
PLAIN = "text/plain"
_VERSIONS = {OPEN_METRICS: "1.0.0", PLAIN: "0.0.4"}

_WAITS = (AlertState.NEW, AlertState.SENDING, AlertState.FAILED)
_TOLD = (*_WAITS, AlertState.SENT, AlertState.DEAD)
"""The others (superseded, muted) were never to be sent."""
_IN_TIME = frozenset({Verdict.OK, Verdict.PENDING})


class _Ready(Collector):
    """Families that were made already, for the library to write down."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def text_of(families: Iterable[Metric], media_type: str) -> tuple[bytes, str]:
    """Write families down as PLAIN or as OPEN_METRICS; give the text and its content type."""
    registry = CollectorRegistry()
    registry.register(_Ready(families))
    encode, content_type = choose_encoder(f"{media_type}; version={_VERSIONS[media_type]}")
    return encode(registry), content_type


def families(
    status: dict[str, Any], channels: Iterable[str], reader: Reader, *, ready: bool
) -> list[Metric]:
    """Gather all metrics. `status`: the document of that name, read by the same reader.

    `channels`: those of the configuration. `ready`: the whole chain is proven.
    """
    now = datetime.fromisoformat(status["now"])
    jobs = [_Seen(job, reader.last_timing(job["job"]), now) for job in status["jobs"]]
    known = sorted(channels)
    piles = [pile for pile in reader.piles() if pile.channel in known]
    return [
        *_of_all(status, ready=ready),
        _verdicts(jobs),
        *(_by_job(jobs, *gauge) for gauge in _OF_A_JOB),
        *_of_outbox(piles, known, now),
        *_of_files([mark for mark in reader.marks() if not mark.over]),
    ]


def _of_all(status: dict[str, Any], *, ready: bool) -> Iterator[Metric]:
    yield InfoMetricFamily("cronverifyd_build", "What is running.", {"version": __version__})
    sick = sum(job["incident"] is not None for job in status["jobs"])
    wide = ("cannot_see", "cron_dead", "triggers_stopped")
    more = sum(status[key] is not None for key in wide)
    for name, text, value in (
        ("healthy", "1 if no incident is open and every due slot was judged.", status["healthy"]),
        ("ready", "1 if the whole chain is proven, as /readyz says.", ready),
        ("jobs", "Jobs that are watched.", len(status["jobs"])),
        ("incidents_open", "Open incidents, muted ones included.", sick + more),
        ("unverified_jobs", "Jobs with a due slot that nobody judged.", len(status["unverified"])),
        ("cannot_see", "1 if what runs wrote cannot be seen.", status["cannot_see"] is not None),
        ("cron_dead", "1 if no cron is running.", status["cron_dead"] is not None),
        ("triggers_stopped", "1 if CueAPI no longer triggers.", status[wide[2]] is not None),
    ):
        yield GaugeMetricFamily(f"cronverifyd_{name}", text, float(value))
    lines = "Lines of outcome files that were not outcomes."
    yield CounterMetricFamily("cronverifyd_rejected_lines", lines, status["rejected"])


@dataclass(frozen=True, slots=True)
class _Seen:
    """A job of the status document, the times of its last run that has ended, and the present."""

    job: dict[str, Any]
    timing: Timing | None
    now: datetime

    def there(self, key: str) -> float | None:
        """Say whether something of the document is there."""
        return float(self.job[key] is not None)

    def seconds(self, key: str) -> float | None:
        """Give an instant of the document, in seconds since 1970."""
        text = self.job[key]
        return None if text is None else datetime.fromisoformat(text).timestamp()

    def start_delay_s(self) -> float | None:
        """Say how long after its slot the run began; negative: before it."""
        if self.timing is None or self.timing.started_at is None:
            return None
        return (self.timing.started_at - self.timing.slot).total_seconds()

    def lateness_s(self) -> float | None:
        """Say by how much the last due slot's deadline was overstepped, or still is."""
        if self.job["slot"] is None or self.job["verdict"] in _IN_TIME:
            return 0.0
        made_good = self.timing is not None and self.job["verdict"] == Verdict.LATE
        until = self.timing.ended_at if self.timing and made_good else self.now
        return max(0.0, (until - datetime.fromisoformat(self.job["deadline"])).total_seconds())


_OF_A_JOB: tuple[tuple[str, str, Callable[[_Seen], float | None]], ...] = (
    (
        "incident_open",
        "1 if an incident of the job is open, a muted one included.",
        lambda seen: seen.there("incident"),
    ),
    (
        "muted",
        "1 if nobody is told of the job.",
        lambda seen: seen.there("muted_until"),
    ),
    (
        "slot_timestamp_seconds",
        "The last due slot.",
        lambda seen: seen.seconds("slot"),
    ),
    (
        "next_slot_timestamp_seconds",
        "The next slot.",
        lambda seen: seen.seconds("next"),
    ),
    (
        "last_success_timestamp_seconds",
        "When the run ended that made the newest good slot good.",
        lambda seen: seen.seconds("last_ok"),
    ),
    (
        "last_run_duration_seconds",
        "How long the last run that has ended took.",
        lambda seen: seen.timing.duration_s if seen.timing else None,
    ),
    (
        "start_delay_seconds",
        "How long after its slot the last run that has ended began; negative: before it.",
        _Seen.start_delay_s,
    ),
    (
        "lateness_seconds",
        "By how much the last due slot's deadline was overstepped, or still is.",
        _Seen.lateness_s,
    ),
)


def _verdicts(jobs: Iterable[_Seen]) -> Metric:
    family = GaugeMetricFamily(
        "cronverifyd_job_verdict",
        "1 for the verdict of the job's last due slot, 0 for all others.",
        labels=("job", "verdict"),
    )
    for seen in jobs:
        for verdict in Verdict:
            family.add_metric((seen.job["job"], verdict), float(seen.job["verdict"] == verdict))
    return family


def _by_job(
    jobs: Iterable[_Seen], name: str, text: str, value_of: Callable[[_Seen], float | None]
) -> Metric:
    """Make a gauge; a job without a value has no sample."""
    family = GaugeMetricFamily(f"cronverifyd_job_{name}", text, labels=("job",))
    for seen in jobs:
        if (value := value_of(seen)) is not None:
            family.add_metric((seen.job["job"],), value)
    return family


def _of_outbox(piles: Iterable[Pile], channels: Iterable[str], now: datetime) -> Iterator[Metric]:
    """Tell of each channel, those that never had a message included."""
    standing = {(pile.channel, pile.state): pile for pile in piles}
    messages = GaugeMetricFamily(
        "cronverifyd_outbox_messages",
        "Messages of a channel, by where they stand; dead ones were given up.",
        labels=("channel", "state"),
    )
    oldest = GaugeMetricFamily(
        "cronverifyd_outbox_oldest_seconds",
        "Age of the oldest message that waits for a channel; 0: none waits.",
        labels=("channel",),
    )
    proven = GaugeMetricFamily(
        "cronverifyd_channel_last_delivery_timestamp_seconds",
        "When the channel last took a message.",
        labels=("channel",),
    )
    for channel in channels:
        own = {state: standing.get((channel, state)) for state in _TOLD}
        for state, pile in own.items():
            messages.add_metric((channel, state), pile.count if pile else 0)
        waiting = [pile.oldest for state in _WAITS if (pile := own[state]) and pile.oldest]
        oldest.add_metric((channel,), (now - min(waiting, default=now)).total_seconds())
        if (sent := own[AlertState.SENT]) and sent.last_sent is not None:
            proven.add_metric((channel,), sent.last_sent.timestamp())
    yield from (messages, oldest, proven)


def _of_files(marks: Iterable[Mark]) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "cronverifyd_outcome_file_lag_bytes",
        "Bytes of an outcome file that were not read yet.",
        labels=("path",),
    )
    looked = GaugeMetricFamily(
        "cronverifyd_outcome_file_looked_at_timestamp_seconds",
        "When an outcome file was last read to its end.",
        labels=("path",),
    )
    # One file a path: of two, the one that was followed last bears the name now.
    for path, mark in {mark.path: mark for mark in marks}.items():
        lag.add_metric((path,), _lag_bytes(mark))
        looked.add_metric((path,), mark.looked_at.timestamp())
    yield from (lag, looked)


def _lag_bytes(mark: Mark) -> int:
    """Say how much of a path's file was not read; of one that has taken its place, nothing was."""
    try:
        now = os.stat(mark.path)  # noqa: PTH116 - the mark's path is text
    except OSError:
        return 0
    read = mark.position if (now.st_dev, now.st_ino) == mark.key else 0
    return max(0, now.st_size - read)
