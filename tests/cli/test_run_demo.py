"""`run` from the command line, and `demo` from its beginning to its end."""

import re

from tests.cli.place import Place
from tests.cli.process import run

STORIES = (
    "failing failed",
    "never-started did not run",
    "too-slow is taking too long",
    "empty-report ended, but what it made is not right",
    "failing is well again",
)


def test_run_with_a_broken_configuration_is_2_with_its_line_and_leaves_nothing(tmp_path):
    here = Place(tmp_path, '[jobs.a]\nschedule = "0 25 * * *"\n')
    here.state.rmdir()
    done = run("run", env={"CRONVERIFYD_CONFIG": str(here.config)})

    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(
        rf"cronverifyd: {re.escape(str(here.config))}:\d+: jobs\.a\.schedule: .*\n", done.err
    )
    assert not here.state.exists()


def test_the_demo_tells_its_stories_within_a_minute_and_ends_with_the_table(tmp_path):
    done = run("demo", env={"TMPDIR": str(tmp_path)}, timeout_s=60)

    received = re.findall(r"Slack received: \S+ (.*)", done.out)
    assert (done.code, done.err) == (0, "")
    assert sorted(received) == sorted(STORIES)
    assert "no space left on /var/spool/invoices" in done.out
    assert "CueAPI asked after good: 1 job checked, all well" in done.out
    assert "CueAPI asked after never-started: 1 job checked, 1 not well: never-started" in done.out
    table = done.out.partition("`cronverifyd status`")[2]
    rows = dict(re.findall(r"^(\S+) +(ok|missed|failed|overrun|artifact)  ", table, re.MULTILINE))
    assert (rows["good"], rows["failing"], rows["never-started"]) == ("ok", "ok", "missed")
    assert rows["too-slow"] in {"overrun", "missed"}
    assert rows["empty-report"] == "artifact"
    assert done.lines[-1] == (
        "Slack heard of each job that was not well, once, and nothing of the good one."
    )
    assert list(tmp_path.iterdir()) == []
