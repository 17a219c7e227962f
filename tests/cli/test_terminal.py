"""On a real terminal: nothing is wider than it, colours, and no names cut to nothing."""

import signal
from datetime import timedelta
from operator import itemgetter

import pytest
from rich.cells import cell_len

from tests.builders import finished, started
from tests.cli.place import Place, now
from tests.cli.process import Terminal, has_colour, show, without_style

LONG = "nightly-warehouse-export-to-the-partner-sftp-server-of-the-whole-group-in-region-"
NAMES = [f"{LONG}{number:02}" for number in range(20)] + [f"job-{number}" for number in range(10)]
VERDICTS = ("missed", "failed", "overrun", "ok", "late")
SLOTS = 16


def lines_of(name, slot, verdict):
    """Write what a job with a window of 3 h has to write of a slot to get this verdict."""
    run_id = f"{name[-4:]}-{slot:%d}"
    start = started(slot.isoformat(), run_id, name)
    if verdict == "missed":
        return b""
    if verdict == "overrun":
        return start
    end = slot + timedelta(hours=4 if verdict == "late" else 2, seconds=7)
    status = "failed" if verdict == "failed" else "success"
    return start + finished(end.isoformat(), status, run_id, name, exit_code=0)


def verdict_of(job, ago):
    """Say how the slot that was due so many slots ago went for the job of this number."""
    return VERDICTS[(job + ago) % len(VERDICTS)]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Make 30 jobs with 16 days behind them; two thirds have long names that begin alike.

    They are due at that full hour which is 12 hours away, so that no slot is pending.
    """
    today = now()
    last = (today - timedelta(hours=12)).replace(minute=0, second=0, microsecond=0)
    jobs = "".join(
        f'[jobs.{name}]\nschedule = "0 {last.hour} * * *"\nmax_duration = "2h55m"\ngrace = "5m"\n'
        for name in NAMES
    )
    here = Place(tmp_path_factory.mktemp("crowd"), jobs)
    here.look(last - timedelta(days=SLOTS, hours=-1))
    for ago in range(SLOTS - 1, -1, -1):
        slot = last - timedelta(days=ago)
        here.append(*(lines_of(n, slot, verdict_of(job, ago)) for job, n in enumerate(NAMES)))
    here.look(today)
    return here


def fits(text, columns):
    lines = without_style(text).splitlines()
    assert max(cell_len(line) for line in lines) <= columns
    return lines


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_status_fits_and_cuts_neither_names_nor_verdicts_to_nothing(crowd, columns):
    code, text = show("status", "--config", crowd.config, columns=columns)

    _, *lines = fits(text, columns)
    assert code == 1
    for job, (name, line) in enumerate(zip(NAMES, lines, strict=False)):
        shown, verdict = line.split()[:2]
        assert shown == name or (len(shown) >= 18 and "…" in shown)
        begin, _, end = shown.partition("…")
        assert name.startswith(begin)
        assert name.endswith(end)
        assert verdict == verdict_of(job, 0)
    assert ("…" in lines[0]) is (columns < 200)
    assert ("NEXT" in text) is (columns >= 80)
    assert "STRIP" in text


def test_at_80_columns_all_is_there_and_names_that_begin_alike_can_be_told_apart(crowd):
    _, text = show("status", "--config", crowd.config)

    heading, first, *others = without_style(text).splitlines()
    assert " ".join(heading.split()) == "JOB VERDICT LAST SLOT LAST OK NEXT STRIP"
    assert len({line.split()[0] for line in (first, *others[:29])}) == 30
    letters = {"missed": "M", "failed": "F", "overrun": "O", "ok": ".", "late": "l"}
    strip = "".join(letters[verdict_of(0, ago)] for ago in range(13, -1, -1))
    assert first.endswith(f"  {strip}")


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_history_fits_and_every_slot_has_its_verdict(crowd, columns):
    name = NAMES[0]
    code, text = show("history", name, "-n", SLOTS, "--config", crowd.config, columns=columns)

    heading, *lines = fits(text, columns)
    assert code == 0
    assert heading.startswith("SLOT ")
    verdicts = [verdict_of(NAMES.index(name), ago) for ago in range(SLOTS)]
    assert [line.split()[2] for line in lines if line.startswith("20")] == verdicts
    words = " ".join(without_style(text).split())
    assert words.count("and none for it is running") == verdicts.count("missed")
    assert words.count("after the deadline") == verdicts.count("late")


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("command", [("why", NAMES[1]), ("check",)], ids=itemgetter(0))
def test_why_and_check_fit_and_align_what_they_wrap(crowd, columns, command):
    _, text = show(*command, "--config", crowd.config, columns=columns)

    lines = fits(text, columns)
    if command[0] == "why":
        assert all(line[:11].strip() in KINDS for line in lines if line.startswith("  " * 2))
    words = " ".join(without_style(text).split())
    assert 'ended with status "failed" (exit code 0) at' in words


KINDS = {
    "row",
    "quiet",
    "host",
    "artifact",
    "hole",
    "odd",
    "",
    "slot",
    "verdict",
    "run",
    "output",
    "incident",
    "told",
    "last ok",
    "next",
}


COLOURED = [("status",), ("history", NAMES[1]), ("why", NAMES[1]), ("check",)]


@pytest.mark.parametrize("command", COLOURED, ids=itemgetter(0))
def test_a_terminal_gets_colours_and_with_no_color_none(crowd, command):
    assert has_colour(show(*command, "--config", crowd.config)[1])
    assert not has_colour(show(*command, "--config", crowd.config, NO_COLOR="1")[1])


@pytest.mark.parametrize(
    "command", [*COLOURED, ("status", "--json"), ("--help",), ("config", "check")], ids=" ".join
)
def test_a_pipe_gets_no_escape_sequence_and_whole_names(crowd, cli, monkeypatch, command):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("CRONVERIFYD_CONFIG", str(crowd.config))
    done = cli(*command)

    assert "\x1b" not in done.out + done.err
    assert "…" not in done.out
    assert (NAMES[1] in done.out) is (command[0] not in {"history", "--help", "config"})


def test_watch_shows_the_page_until_it_is_interrupted(crowd):
    with Terminal("status", "--watch", "--config", crowd.config) as terminal:
        terminal.wait_for("VERDICT")
        terminal.process.send_signal(signal.SIGINT)
        code = terminal.end()

    assert code == 130
    assert "Traceback" not in terminal.text
