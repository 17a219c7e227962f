"""Random histories: the verdicts of the judge are those of a model of ten lines.

A history is a list of runs of one daily job over some days, told by lines that come in any order.
The model knows nothing of lines, joins or slots: only minutes.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.judge.runs import Calendar, Window, join, make_slot, slot_of
from cronverifyd.judge.schedule import parse
from cronverifyd.judge.verify import judge
from cronverifyd.model import Event, EventKind, Loss
from tests.builders import at, job

DAY = 24 * 60
WINDOW = 65  # minutes: max_duration and grace of the builders' job
DUE = 3 * 60
DAYS = range(3)
MIDNIGHT = at("00:00")
JOB = job(expect=("metric.rows >= 1",))
CALENDAR = Calendar(
    schedule=parse(JOB.schedule, JOB.timezone), owed_since=MIDNIGHT - timedelta(days=1)
)

run_ends = st.sampled_from(["good", "failed", "unmet", "lost", "open"])
histories = st.lists(
    st.tuples(
        # Around the slots, where it matters, and anywhere.
        st.builds(
            lambda day, shift: day * DAY + DUE + shift, st.sampled_from(DAYS), st.integers(-3, 130)
        )
        | st.integers(DUE, len(DAYS) * DAY),
        st.integers(0, 200),
        run_ends,
    ),
    max_size=6,
)


def model(day, history, now):
    """Give the verdict of a day's slot. `history`: (start, minutes it took, how it ended)."""
    due, deadline = day * DAY + DUE, day * DAY + DUE + WINDOW
    mine = [(b, b + took, how) for b, took, how in history if due - 1 <= b < due + DAY - 1]
    ended = [(end, how) for _, end, how in mine if end <= now and how not in {"lost", "open"}]
    good = [end for end, how in ended if how == "good"]
    lost = [end for _, end, how in mine if how == "lost" and end <= now]
    running = [b for b, end, how in mine if b <= now and (how == "open" or end > now)]
    if good:
        return "ok" if min(good) <= deadline else "late"
    if lost:
        return "interrupted"
    if any(max(deadline, begun + WINDOW) <= now for begun in running):
        return "overrun"
    for how in ("failed", "unmet"):
        if any(each == how for _, each in ended):
            return how
    return "pending" if running or now < deadline else "missed"


def lines_of(history, now):
    """Tell a history as it is known at an instant: start lines, finish lines and losses."""
    for number, (begun, took, how) in enumerate(history):
        run = f"r{number}"
        if begun <= now:
            yield run, _event(run, EventKind.START, begun)
        if begun + took <= now and how not in {"lost", "open"}:
            rows = {"rows": 0.0 if how == "unmet" else 1.0}
            status = "failed" if how == "failed" else "success"
            yield run, _event(run, EventKind.FINISH, begun + took, status=status, metrics=rows)
        if begun + took <= now and how == "lost":
            yield run, _instant(begun + took)


def _event(run, kind, minute, **told):
    return Event(job=JOB.name, kind=kind, run=run, at=_instant(minute), **told)


def _instant(minute):
    return MIDNIGHT + timedelta(minutes=minute)


def runs_of(lines, now):
    """Join lines to runs as the engine does."""
    runs, losses = {}, {}
    written = Window(earliest=MIDNIGHT, latest=_instant(now))
    for run, line in lines:
        if isinstance(line, Event):
            runs[run] = join(runs.get(run), line, run_id=run, written=written)
        else:
            losses[run] = line
    for run, lost_at in losses.items():
        runs[run] = replace(runs[run], lost_at=lost_at, loss=Loss.GONE)
    return list(runs.values())


def verdict(day, runs, now):
    slot = make_slot(JOB, _instant(day * DAY + DUE))
    mine = [run for run in runs if slot_of(run, JOB, CALENDAR).at == slot.at]
    return judge(JOB, slot, mine, _instant(now))


@settings(max_examples=5_000)
@given(histories, st.integers(DUE, len(DAYS) * DAY + 300), st.randoms(use_true_random=False))
def test_the_judge_says_what_the_model_says_whatever_the_order_of_the_lines(history, now, chance):
    lines = list(lines_of(history, now))
    chance.shuffle(lines)
    runs = runs_of(lines, now)
    for day in DAYS:
        if day * DAY + DUE <= now:
            judgment = verdict(day, runs, now)
            assert str(judgment.verdict) == model(day, history, now)
            assert verdict(day, runs[::-1], now) == judgment
