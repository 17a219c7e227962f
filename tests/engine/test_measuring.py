"""Artifacts: measured once, at the run's end, by somebody else than the main loop."""

import gzip
import os

import pytest

from cronverifyd.daemon.surveyor import survey
from cronverifyd.model import Artifact, ArtifactRule, Measured
from tests.builders import at, finished, job, seconds, started
from tests.engine.world import kinds

DUMP = gzip.compress(b"a row of a table\n" * 50)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dump.sql.gz"


@pytest.fixture
def dumps(make, path):
    rule = ArtifactRule(path=str(path), min_size=20.0, shrink=0.5, changed=True, opens=True)
    return make(job(artifacts=(rule,)))


def dump(path, when, data=DUMP):
    path.write_bytes(data)
    os.utime(path, (at(when).timestamp(),) * 2)


def measured(world, now):
    """Measure what the engine has asked for, for real, and tell it."""
    request = world.unmeasured.pop(0)
    assert world.unmeasured == []
    world.engine.handle(survey(request), at(now))
    return world.deliver(now)


def test_a_run_is_good_once_what_it_made_is(dumps, path):
    dump(path, "03:02")
    assert dumps.look("03:05", started("03:00:01"), finished("03:04")) == []
    assert dumps.verdict("03:00") == "pending"
    assert "its 1 artifact being measured" in dumps.slot("03:00").judgment.reason
    assert measured(dumps, "03:05:01") == []
    assert dumps.verdict("03:00") == "ok"


def test_what_is_not_as_it_should_be_is_told(dumps, path):
    dump(path, "03:02", DUMP[:40])
    dumps.look("03:05", started("03:00:01"), finished("03:04"))
    (told,) = measured(dumps, "03:05:01")
    assert (str(told.kind), str(told.verdict)) == ("opened", "artifact")
    assert "dump.sql.gz" in told.reason


def test_it_is_measured_once_and_what_becomes_of_the_file_later_is_nobody_s_business(dumps, path):
    dump(path, "03:02")
    dumps.look("03:05", started("03:00:01"), finished("03:04"))
    measured(dumps, "03:05:01")
    path.unlink()
    assert dumps.look("03:30", finished("03:04")) == []
    assert dumps.look("04:05") == []
    dumps.reopen(now="05:00")
    assert dumps.look("05:00") == []
    assert dumps.unmeasured == []
    assert dumps.verdict("03:00") == "ok"
    (note,) = [each for each in dumps.journal() if each["kind"] == "measured"]
    assert (note["run"], note["artifacts"][0]["size"]) == ("r1", len(DUMP))


@pytest.mark.parametrize("end", ["failed", "unmet"])
def test_what_is_bad_anyway_is_not_measured(make, path, end):
    rule = ArtifactRule(path=str(path))
    world = make(job(artifacts=(rule,), expect=("metric.rows >= 1",)))
    status = "failed" if end == "failed" else "success"
    world.look("03:05", started("03:00:01"), finished("03:04", status, metrics={"rows": 0}))
    assert world.verdict("03:00") == end
    assert world.unmeasured == []


def test_what_a_process_left_unmeasured_is_asked_for_by_the_next(dumps, path):
    dump(path, "03:02")
    dumps.look("03:05", started("03:00:01"), finished("03:04"))
    dumps.unmeasured.clear()
    dumps.reopen(now="09:00")
    assert measured(dumps, "09:00:01") == []
    assert dumps.verdict("03:00") == "ok"


def test_a_run_that_ended_in_time_is_not_late_because_measuring_took_long(dumps, path):
    dump(path, "03:02")
    dumps.look("04:04", started("03:00:01"), finished("04:03"))
    assert dumps.look("04:05") == []
    assert dumps.verdict("03:00") == "pending"
    measured(dumps, "04:20")
    assert dumps.verdict("03:00") == "ok"


def test_a_file_system_that_hangs_is_told(dumps):
    dumps.look("03:05", started("03:00:01"), finished("03:04"))
    assert dumps.look("03:35") == []
    (told,) = dumps.look("03:35:01")
    assert str(told.verdict) == "artifact"
    assert "could not be looked at within 30 min" in told.reason
    late = Measured(job="db-backup", run="r1", artifacts=(Artifact(rule="x", found="x", size=1),))
    assert dumps.engine.handle(late, at("03:40")) is None
    assert dumps.verdict("03:00") == "artifact"


def test_each_is_held_against_those_before_it(dumps, path):
    """The same bytes once more, and far fewer of them, are told; good ones set the measure."""
    told = []
    for day, data in enumerate(
        [DUMP, DUMP, gzip.compress(os.urandom(900)), gzip.compress(os.urandom(60))]
    ):
        shift = seconds(86_400 * day)
        made, start, end, now = (at(t) + shift for t in ("03:02", "03:00:01", "03:04", "03:05"))
        dump(path, made.isoformat(), data)
        run = f"r{day}"
        dumps.look(
            now.isoformat(), started(start.isoformat(), run), finished(end.isoformat(), run_id=run)
        )
        told.append([m.reason for m in measured(dumps, now.isoformat())])
    assert told[0] == []
    assert "identical to the last one" in told[1][0]
    assert "ended with status" in told[2][0]  # a recovery
    assert "less than 0.5 of the usual" in told[3][0]


def test_a_rule_that_came_later_says_nothing_of_runs_before_it(make, path):
    world = make()
    world.look("03:05", started("03:00:01"), finished("03:04"))
    world.reopen(job(artifacts=(ArtifactRule(path=str(path)),)), now="03:10")
    assert world.look("03:10", finished("03:04")) == []
    assert world.unmeasured == []
    assert world.verdict("03:00") == "ok"


def test_a_unit_of_work_that_fails_asks_for_nothing(dumps, path):
    dump(path, "03:02")
    dumps.write(started("03:00:01"), finished("03:04"), b"nonsense\n")
    dumps.store._db.execute(
        "CREATE TRIGGER fault BEFORE INSERT ON slot BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    with pytest.raises(Exception, match="full"):
        dumps.look("03:05")
    assert dumps.unmeasured == []
    dumps.store._db.execute("DROP TRIGGER fault")
    assert kinds(dumps.look("03:05:05")) == ["rejected"]
    measured(dumps, "03:05:06")
    assert dumps.verdict("03:00") == "ok"
