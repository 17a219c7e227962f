"""The nouns: what is due, what ran, what was concluded, and who is told.

All values are frozen. Instants are aware datetimes; slots carry the offset of their job's zone, all
others are UTC. Durations are seconds (`…_s`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

A_co = TypeVar("A_co", covariant=True)
A = TypeVar("A")


class Verdict(StrEnum):
    """What is concluded of a slot."""

    PENDING = "pending"
    OK = "ok"
    LATE = "late"
    MISSED = "missed"
    FAILED = "failed"
    OVERRUN = "overrun"
    INTERRUPTED = "interrupted"
    UNMET = "unmet"
    ARTIFACT = "artifact"
    UNKNOWN = "unknown"

    @property
    def good(self) -> bool:
        """True when the job did what it owed."""
        return self in {Verdict.OK, Verdict.LATE}

    @property
    def bad(self) -> bool:
        """True when somebody has to be told; `pending` and `unknown` are neither good nor bad."""
        return not self.good and self not in {Verdict.PENDING, Verdict.UNKNOWN}


class Severity(StrEnum):
    """How loudly a job's incident is told."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class EventKind(StrEnum):
    """Which end of a run a line tells of."""

    START = "start"
    FINISH = "finish"


class TriggeredBy(StrEnum):
    """Who made the daemon look when a slot's verdict was reached."""

    FILE = "file"
    TIMER = "timer"
    CUEAPI = "cueapi"
    HTTP = "http"
    CHECK = "check"
    START = "start"


class AlertKind(StrEnum):
    """What an alert tells.

    reminded: the incident is still open. flapping: it opened for the third time in a short while,
    and is told no more until it holds.
    """

    OPENED = "opened"
    REMINDED = "reminded"
    FLAPPING = "flapping"
    RECOVERED = "recovered"


class AlertState(StrEnum):
    """Where a row of the outbox stands.

    new → sending → sent, or → failed (tried again at `next_try`) or → dead (never tried again).
    superseded: nobody has to be told any more. muted: kept back until the mute ends. folded: a
    message that was told on this channel already names the cause of this one as well.
    """

    NEW = "new"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    MUTED = "muted"
    FOLDED = "folded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """Where a secret is found: the first of those named that exists.

    It holds names, never the secret, except for `literal`, which is kept out of every repr.
    """

    place: str
    credential: str | None = None
    env: str | None = None
    file: str | None = None
    literal: str | None = field(default=None, repr=False)


class Tls(StrEnum):
    """How a mail server is spoken to: TLS at once, TLS after STARTTLS, or in the open."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """Where a channel's mail goes. `sender`: the address that it comes from.

    `server` None: the host's own sendmail takes it; then the rest says nothing.
    """

    to: tuple[str, ...]
    sender: str
    server: tuple[str, int] | None = None
    tls: Tls = Tls.NONE
    username: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """One way to reach people. `kind`: slack, webhook, command, email, apprise or console.

    `tags`: where there are some, it is told of jobs that bear one of them, and of those that name
    it themselves; of nothing else.
    `url`: of slack, webhook and apprise. `secret`: signs a webhook's messages; None: they are not
    signed. `command`, `timeout_s`: of kind command. `mail`: of kind email.
    """

    name: str
    kind: str
    url: Secret | None = None
    severity: frozenset[Severity] = frozenset(Severity)
    tags: frozenset[str] = frozenset()
    secret: Secret | None = None
    command: tuple[str, ...] = ()
    timeout_s: float = 10.0
    mail: Mail | None = None


class MaintenanceMode(StrEnum):
    """What a maintenance window does to the slots in it.

    mute: they are judged, and told afterwards if still bad. skip: they are not owed.
    """

    MUTE = "mute"
    SKIP = "skip"


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintenance:
    """Windows in which a job's slots count for nothing: each begins at a slot of `schedule`."""

    schedule: str
    duration_s: float
    mode: MaintenanceMode = MaintenanceMode.MUTE


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactRule:
    """What a run of a job must have made.

    `path`: an absolute glob; its newest match counts. `min_size`: bytes. `shrink`: the least that
    its size may be, as a part of the median of the last ten good ones. `changed`: not
    byte-identical to the last one. `opens`: the container is whole.
    """

    path: str
    min_size: float | None = None
    shrink: float | None = None
    changed: bool = False
    opens: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """What was found for one rule, measured once, at the run's end.

    `rule`: the rule's glob. `found` None: nothing matches, or (with `fault`) nothing could be
    looked at. `usual_size`: the median of the last ten good ones, or None where there is none.
    `same_as_last`: it is byte-identical to the last one measured; None: not compared. `fault`: why
    it cannot be opened, in a sentence. `replaced`: measured too late: only a file that was written
    after the run had ended is there, and a later run has ended as well.
    """

    rule: str
    found: str | None = None
    size: int | None = None
    modified_at: datetime | None = None
    digest: str | None = None
    usual_size: float | None = None
    same_as_last: bool | None = None
    fault: str | None = None
    replaced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What a rule's artifacts were before: `sizes` of the last ten good ones (bytes, any order).

    `digest`: of the newest one measured for an earlier run, or None.
    """

    sizes: tuple[int, ...] = ()
    digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One cron job and what is expected of each of its slots.

    `schedule` as written in the configuration; `timezone` an IANA name. `start_within_s` None: not
    checked. `expect`: assertions as written (judge/expect.py says how). `tolerate`: so many bad
    slots in a row stay silent; `recover_after`: so many good ones close an incident. `channels`:
    those that the job names itself; none: it takes the default route. `tags`: what channels may go
    by. `user`: whose outcomes count, beside root's; None: anybody's. `user_uid`: the number of that
    user; None: there is none of that name, so that root's alone count.
    """

    name: str
    schedule: str
    timezone: str
    max_duration_s: float
    grace_s: float
    start_within_s: float | None = None
    expected_status: str = "success"
    expect: tuple[str, ...] = ()
    artifacts: tuple[ArtifactRule, ...] = ()
    tolerate: int = 0
    recover_after: int = 1
    maintenance: tuple[Maintenance, ...] = ()
    severity: Severity = Severity.CRITICAL
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    runbook: str | None = None
    enabled: bool = True
    user: str | None = None
    user_uid: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenure:
    """Since when a job is owed under its present schedule.

    `cursor`: the newest slot that was looked at for its own sake, or `owed_since` before the first.
    `active` False: the job was disabled or removed.
    """

    job: str
    schedule: str
    timezone: str
    owed_since: datetime
    cursor: datetime
    active: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One line of the outcome file, checked and with its aliases resolved.

    `at` None: the line bears no time. `extra`: the unknown keys, as a JSON object's text, or None.
    """

    job: str
    kind: EventKind
    run: str | None = None
    at: datetime | None = None
    started_at: datetime | None = None
    slot: datetime | None = None
    run_date: date | None = None
    status: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    duration_s: float | None = None
    cpu_s: float | None = None
    max_rss_kb: float | None = None
    metrics: Mapping[str, float] | None = None
    output_tail: str | None = None
    output_bytes: int | None = None
    output_lines: int | None = None
    host: str | None = None
    user: str | None = None
    uid: int | None = None
    pid: int | None = None
    pid_start: int | None = None
    wrapper_pid: int | None = None
    boot: str | None = None
    command: str | None = None
    extra: str | None = None


class Loss(StrEnum):
    """Why the end of a run will never be recorded.

    gone: the wrapper and the job are no more. orphaned: the wrapper is no more, the job still ran
    when that was seen. rebooted: the host was started anew meanwhile.
    """

    GONE = "gone"
    ORPHANED = "orphaned"
    REBOOTED = "rebooted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution of a job: its start line and its finish line, joined.

    `started_at` None: no start is known, not even from the duration. `ended_at` None: no end was
    recorded. `untimed_since`: its end, or its start while there is no end, bears no time of its own
    (or an impossible one); it was written after this instant, and not after `ended_at` or
    `started_at`. `slot_hint`, `run_date`: the slot that the writer named. `lost_at`, `loss`: when
    it was seen, and why, that no end will ever be recorded. `artifacts`: one for each of the job's
    rules when it ended; empty: not measured yet; None: it has not ended, or there was no rule when
    it did. `writer_uid`: the owner of the file that its newest line stands in; None: that is not
    known, or others may write there as well. `spoofed`: that is none whose outcomes count for the
    job, so no verdict heeds it.
    """

    run: str
    job: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    untimed_since: datetime | None = None
    slot_hint: datetime | None = None
    run_date: date | None = None
    status: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    duration_s: float | None = None
    cpu_s: float | None = None
    max_rss_kb: float | None = None
    metrics: Mapping[str, float] | None = None
    output_tail: str | None = None
    output_bytes: int | None = None
    output_lines: int | None = None
    host: str | None = None
    user: str | None = None
    uid: int | None = None
    pid: int | None = None
    pid_start: int | None = None
    wrapper_pid: int | None = None
    boot: str | None = None
    command: str | None = None
    extra: str | None = None
    lost_at: datetime | None = None
    loss: Loss | None = None
    artifacts: tuple[Artifact, ...] | None = None
    writer_uid: int | None = None
    spoofed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """How far a file has been read.

    `probe`: a hash of the file's first bytes and of those before `position`. `looked_at`: when it
    was last read to its end. `over`: it was renamed, read to its end and let go, or its loss was
    reported, so nothing more is lost when it goes. `file_id` None: the store has not numbered the
    file yet. `writer_uid`: the file's owner when it was last read; None: others may write it as
    well, so that it proves nobody.
    """

    path: str
    device: int
    inode: int
    looked_at: datetime
    position: int = 0
    probe: bytes = b""
    over: bool = False
    file_id: int | None = None
    writer_uid: int | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Name the file for as long as it is open."""
        return self.device, self.inode


@dataclass(frozen=True, kw_only=True, slots=True)
class Hole:
    """A time of which an outcome file does not tell, or not all.

    `until` None: it lasts, for the file still cannot be read; what was written is read afterwards.
    Else lines of between `since` and `until` are lost. `reason`: a sentence's end, such as "was
    truncated". `writer_uid`: whose file it is; None: nobody's, or that is not known.
    """

    path: str
    since: datetime
    reason: str
    until: datetime | None = None
    writer_uid: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """An instant at which a job was due, in the job's zone, and the instant its window ends.

    `owed` False: nothing was due (the job is new); a run is judged by itself at its own start.
    `starts`: how many runs it expects, more than one only at the end of a spring gap.
    """

    job: str
    at: datetime
    deadline: datetime
    owed: bool = True
    starts: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgment:
    """A verdict with its reason in words.

    `until`: the next instant at which the verdict may change without a new line, or None.
    `run`: the id of the run that decided it, or None.
    """

    verdict: Verdict
    reason: str
    until: datetime | None = None
    run: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedSlot:
    """A slot as the store keeps it, with its latest judgment.

    `incident`: the one that it opened or joined when it was bad. `quiet`: it lies in a maintenance
    window, so that it neither breaks nor counts.
    """

    slot: Slot
    judgment: Judgment
    decided_at: datetime
    found_late: bool
    triggered_by: TriggeredBy
    incident: str | None = None
    quiet: bool = False


class FindingKind(StrEnum):
    """What is odd about a run, and yet makes no slot bad.

    duplicate: its slot had its good runs already. off_schedule: the same, and it started after the
    deadline. overlap: it began before the last run had ended. unregistered: its job stands in no
    configuration. spoofed: it was written by somebody whose outcomes do not count for its job.
    """

    DUPLICATE = "duplicate"
    OFF_SCHEDULE = "off_schedule"
    OVERLAP = "overlap"
    UNREGISTERED = "unregistered"
    SPOOFED = "spoofed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something odd about one run. `text`: a sentence with its numbers; `at`: the run's start."""

    job: str
    kind: FindingKind
    run: str
    at: datetime
    text: str


BLIND = "~outcomes"
"""Stands in a job's place in the incident of the outcome files; no job can have such a name."""


CRON = "~cron"
"""The same, in the incident of a cron that is not running."""


CUEAPI = "~cueapi"
"""The same, in the incident of triggers that have stopped coming."""


DRILL = "cronverifyd-drill"
"""The job whose runs prove that what is written arrives; no configuration can have it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """What is wrong with one job, from its first bad slot until it heals.

    `slots`: how many slots were bad. `announced`: its opening was handed to at least one channel.
    `closed_at` None: it is open. `close_reason`: healed, disabled or removed. `flapping`: it is the
    third one in a short while, so it stays open until it holds. `reminders`: how many were due.
    `acked_at`: when somebody said that they know; from then on nobody is reminded. `cause`: names
    what the host proves to have made its first slot bad, the same for all jobs; `because` says it
    in a sentence.
    """

    id: str
    job: str
    opened_at: datetime
    first_slot: datetime
    last_bad_slot: datetime
    slots: int
    announced: bool = False
    closed_at: datetime | None = None
    close_reason: str | None = None
    flapping: bool = False
    reminders: int = 0
    acked_at: datetime | None = None
    cause: str | None = None
    because: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Mute:
    """A time in which nobody is told of a job; `job` None: of anything. It always ends.

    `who`, `reason`: as given, or empty. `swallowed`: how many messages were kept back.
    """

    job: str | None
    since: datetime
    until: datetime
    who: str = ""
    reason: str = ""
    swallowed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """Everything that a channel needs to tell people, with no look at anything else.

    `owed` False: the run was not due, and was judged by itself; `slot` is its start.
    Text from jobs (`error`, `output_tail`, `status`) is as it came: hostile until rendered.
    `opened_at`, `slots`: since when, and how many slots were bad. `unheard`: what was wrong, in a
    recovery for those who could not be told of that before. `instead_of`: the channel that could
    not be reached, so that another one tells. `cause`: what the host proves to have made the slot
    bad; `host_says`: what it was like, in sentences. `may_repeat`: a crash came between sending and
    marking, so this message may be the second of its kind.
    """

    id: str
    incident: str
    kind: AlertKind
    job: str
    instance: str
    severity: Severity
    verdict: Verdict
    reason: str
    slot: datetime
    deadline: datetime
    schedule: str
    timezone: str
    expected_status: str
    opened_at: datetime
    slots: int
    created_at: datetime
    owed: bool = True
    closed_at: datetime | None = None
    found_late: bool = False
    run: str | None = None
    status: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    output_tail: str | None = None
    host: str | None = None
    user: str | None = None
    command: str | None = None
    runbook: str | None = None
    cause: str | None = None
    host_says: tuple[str, ...] = ()
    unheard: str | None = None
    instead_of: str | None = None
    may_repeat: bool = False


class NoticeKind(StrEnum):
    """What a notice tells.

    blind: what runs wrote cannot be seen; sighted: it can again. cron_dead: no cron is running;
    cron_back: one is again. cueapi_lost: CueAPI has stopped triggering; cueapi_back: it triggers
    again. unmuted: a mute is over. drill: nothing, but that messages arrive.
    """

    REJECTED = "rejected"
    CONFIG = "config"
    FINDING = "finding"
    BLIND = "blind"
    SIGHTED = "sighted"
    CRON_DEAD = "cron_dead"
    CRON_BACK = "cron_back"
    CUEAPI_LOST = "cueapi_lost"
    CUEAPI_BACK = "cueapi_back"
    UNMUTED = "unmuted"
    DRILL = "drill"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something about the installation, not about a job's slot, that people have to know once.

    `title` is one line of ours; `text` may quote files, so it is hostile until rendered. `remedy`:
    what an operator can do. `incident`: the one that it opens or closes, or None. `job`: the one
    that it is about, or None.
    """

    id: str
    kind: NoticeKind
    instance: str
    severity: Severity
    title: str
    text: str
    remedy: str
    created_at: datetime
    incident: str | None = None
    job: str | None = None
    instead_of: str | None = None
    may_repeat: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """What came together on a channel, in one message.

    `parts`: the newest word on each incident and on all else, in the order in which they came,
    without the output of jobs.
    """

    id: str
    instance: str
    severity: Severity
    created_at: datetime
    parts: tuple[Alert | Notice, ...]
    may_repeat: bool = False


Message = Alert | Notice | Digest


class DeliveryResult(StrEnum):
    """How a channel answered."""

    SENT = "sent"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What came of one attempt to send an alert.

    `retry_after_s`: the channel's own word on when to come back, or None. `error`: one line, with
    no secret in it. `receipt`: what the channel answered, when it took it.
    """

    result: DeliveryResult
    error: str | None = None
    receipt: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryRow:
    """How far one message of an incident has come on one channel."""

    channel: str
    kind: str
    state: AlertState
    tries: int
    sent_at: datetime | None = None
    next_try: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """One message for one channel, and how far it has come. `job` None: it is about no job."""

    id: str
    incident: str | None
    job: str | None
    kind: str
    channel: str
    state: AlertState
    tries: int
    created_at: datetime
    next_try: datetime | None
    sent_at: datetime | None
    receipt: str | None
    error: str | None


class Sender(Protocol):
    """A channel that is ready to send. `send` raises nothing: the Delivery says what went wrong."""

    def send(self, message: Message) -> Delivery:
        """Send one message and say what came of it."""
        ...


class CauseKind(StrEnum):
    """What the host can prove to have made slots bad.

    host_down: it was not up. asleep: it was suspended. clock_stepped: its clock jumped over them.
    cron_down: no cron was running. disk_full, unwritable: their outcomes could not be written.
    """

    HOST_DOWN = "host_down"
    ASLEEP = "asleep"
    CLOCK_STEPPED = "clock_stepped"
    CRON_DOWN = "cron_down"
    DISK_FULL = "disk_full"
    UNWRITABLE = "unwritable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A time in which something was so, as far as looks at it can say.

    `since`: the first look that saw it. `before`: the last one, shortly before, that did not, so
    that it began in between; None: there was none. `until` None: it lasts.
    """

    since: datetime
    until: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockStep:
    """A jump of the wall clock. `by_s`: forward is positive.

    `at`: the look that saw it, by the new clock. `before`: the look before it, by the old one.
    """

    at: datetime
    by_s: float
    before: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """The file system of a path.

    `free_bytes`: what users other than root may still write. `free_inodes` None: it has no fixed
    number of them. `full`, `read_only`: when it was so, oldest first.
    """

    path: str
    device: int
    size_bytes: int
    free_bytes: int
    free_inodes: int | None = None
    full: tuple[Span, ...] = ()
    read_only: tuple[Span, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class HostFacts:
    """What the host says of itself at an instant. None: the fact cannot be had.

    `asleep`, `steps`, `cron_gaps`: those that looks have seen, oldest first. `cron_running` False:
    two looks have missed it; None also: only one has. `cron_expected`: it ran before in this boot,
    or is set to be started at boot. `cron_missing_s`: for how long looks have missed it, by the
    monotonic clock. `load`: of the last minute. `…_pressure`: per cent of the last 10 s in which
    some process waited for it.
    """

    at: datetime
    boot: str | None = None
    booted_at: datetime | None = None
    asleep: tuple[Span, ...] = ()
    steps: tuple[ClockStep, ...] = ()
    cron_running: bool | None = None
    cron_expected: bool = False
    cron_pid: int | None = None
    cron_started_at: datetime | None = None
    cron_missing_s: float | None = None
    cron_gaps: tuple[Span, ...] = ()
    volumes: tuple[Volume, ...] = ()
    load: float | None = None
    cpus: int | None = None
    memory_bytes: int | None = None
    free_memory_bytes: int | None = None
    cpu_pressure: float | None = None
    memory_pressure: float | None = None
    io_pressure: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """What made slots bad, proven by the host.

    `kind`, `what` and `since` name it; `text`, a sentence with its numbers, may change while it
    lasts. `what`: the path, for a disk. `until` None: it lasts.
    """

    kind: CauseKind
    since: datetime
    until: datetime | None = None
    what: str = ""
    text: str = ""


# ---- Messages: what doorbells put on the main loop's queue --------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Look at the outcome files, judge what is due."""

    triggered_by: TriggeredBy


class Request(Generic[A_co]):
    """A message that is answered by an `A_co`."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verify(Request["Verified"]):
    """Look now and say how these jobs stand. `jobs` None: all of them.

    `execution`: CueAPI's execution id, or None; one that is known and not older than 300 s gets the
    first answer and evaluates nothing. `scheduled_for`: when CueAPI meant to ask; the slots of that
    time are answered for, and not later ones. `owes_outcome`: CueAPI is told by a request of ours
    what came of it.
    """

    jobs: tuple[str, ...] | None = None
    triggered_by: TriggeredBy = TriggeredBy.HTTP
    execution: str | None = None
    scheduled_for: datetime | None = None
    owes_outcome: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """A sender's report: these rows of the outbox were tried in one message."""

    rows: tuple[str, ...]
    channel: str
    delivery: Delivery


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A request to measure what a run that has ended must have made.

    `past`: what was measured before, by the rule's glob; a rule without a past is absent.
    `superseded`: a later run of the job has ended by now.
    """

    run: Run
    rules: tuple[ArtifactRule, ...]
    past: Mapping[str, Past]
    superseded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """A request to run the wrapper around a job that prints `run`, and fails or does not."""

    run: str
    fails: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsed:
    """The answer to Rehearsal: the file that has its lines, or what went wrong."""

    run: str
    file: str = ""
    fault: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Beaten:
    """What came of a heartbeat. `error` None: it was taken."""

    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """The answer to Measure: one artifact a rule, in the rules' order."""

    job: str
    run: str
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BadJob:
    """One line of `details`: a job whose last due slot is bad or unknown. `issue`: the reason."""

    job: str
    slot: datetime
    verdict: Verdict
    issue: str
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GoodJob:
    """A job whose last due slot is good: the evidence. `run`: the one that made it so."""

    job: str
    slot: datetime
    reason: str
    run: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """The answer to Verify: how many jobs were looked at, and those that are not well.

    `good`: the others, as far as a slot of theirs was judged.
    """

    checked: int
    details: tuple[BadJob, ...] = ()
    good: tuple[GoodJob, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A request to tell CueAPI what came of one of its executions."""

    execution: str
    verified: Verified


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """The answer to Report. A report that is there already counts as sent."""

    execution: str
    delivery: Delivery


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledge(Request["Acknowledged"]):
    """Somebody knows of these incidents: remind nobody of them.

    `names`: of jobs or of incidents. `who`: who says so, or an empty text.
    """

    names: tuple[str, ...]
    who: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledged:
    """The answer to Acknowledge: one incident a name, in their order."""

    incidents: tuple[Incident, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence(Request["Silenced"]):
    """Tell nobody of a job (None: of anything) for so long; in the place of its last mute."""

    job: str | None
    for_s: float
    who: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsilence(Request["Silenced"]):
    """End a mute before its time. `job` None: that of everything."""

    job: str | None
    who: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Silenced:
    """The answer to both: the mute that begins or is over; None: there was none to end."""

    mute: Mute | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Drill(Request["Drilled"]):
    """Expect a run of this id, of the drill's job, and tell every channel when it has failed.

    `quiet`: in one line.
    """

    run: str
    quiet: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Drilled:
    """The answer to Drill: which channels will be told."""

    channels: tuple[str, ...]


class Port(Protocol):
    """The way into the main loop for those who want an answer."""

    def ask(self, message: Request[A]) -> A:
        """Put the message on the queue and wait for the answer.

        Raises UnknownJobError for a job in no configuration, UnavailableError when the loop gives
        no answer in time.
        """
        ...

    def alive(self) -> bool:
        """Say whether the main loop has turned lately."""
        ...
