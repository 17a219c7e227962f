"""`next`: the slots to come, over jobs and for a schedule that is no job's."""

import json
from pathlib import Path

import pytest

from tests.cli.place import instant, offset_of

FILE = Path(__file__).parents[1] / "vectors" / "cron.json"
VECTORS = [vector for vector in json.loads(FILE.read_text())["vectors"] if vector["tz"]]
JOBS = (
    '[jobs.nightly]\nschedule = "0 3 * * *"\ntimezone = "Europe/Paris"\n'
    '[jobs.often]\nschedule = "every 6h"\nmax_duration = "10m"\ngrace = "1m"\n'
    '[jobs.off]\nschedule = "* * * * *"\nenabled = false\n'
    '[jobs.boot]\nschedule = "@reboot"\n'
)


@pytest.fixture
def coming(cli):
    """Ask when a schedule would run."""

    def ask(schedule, *more):
        return cli("next", "--json", "--schedule", schedule, *more)

    return ask


def slots(done):
    return [row["slot"] for row in done.json["slots"]]


# ---- over jobs ----------------------------------------------------------------------------------


def test_the_slots_of_all_watched_jobs_come_in_order_with_their_deadlines(place, cli):
    here = place(JOBS)
    done = cli("next", "-n", "3", "--json", "--config", here.config, now="2024-05-15T00:30:00")
    assert done.code == 0
    assert done.json == {
        "slots": [
            {
                "job": "nightly",
                "slot": "2024-05-15T03:00:00+02:00",
                "deadline": "2024-05-15T04:05:00+02:00",
                "starts": 1,
            },
            {
                "job": "often",
                "slot": "2024-05-15T06:00:00+00:00",
                "deadline": "2024-05-15T06:11:00+00:00",
                "starts": 1,
            },
            {
                "job": "often",
                "slot": "2024-05-15T12:00:00+00:00",
                "deadline": "2024-05-15T12:11:00+00:00",
                "starts": 1,
            },
        ]
    }


def test_it_needs_no_state(place, cli):
    here = place(JOBS)
    here.state.rmdir()
    assert cli("next", "--json", "--config", here.config).code == 0


def test_only_the_jobs_that_are_named_are_shown(place, cli):
    here = place(JOBS)
    done = cli("next", "nightly", "-n", "2", "--json", "--config", here.config, now="03:00")
    assert slots(done) == ["2024-05-16T03:00:00+02:00", "2024-05-17T03:00:00+02:00"]
    assert {row["job"] for row in done.json["slots"]} == {"nightly"}


def test_a_slot_at_the_instant_itself_is_over(place, cli):
    done = cli(
        *("next", "often", "-n", "1", "--json", "--from", "2024-05-15T06:00:00Z"),
        *("--config", place(JOBS).config),
    )
    assert slots(done) == ["2024-05-15T12:00:00+00:00"]


def test_an_instant_without_an_offset_is_in_the_configured_zone(place, cli):
    here = place(JOBS)
    here.config.write_text(here.config.read_text().replace('"UTC"', '"Asia/Tokyo"', 1))
    done = cli(
        *("next", "often", "-n", "1", "--json", "--from", "2024-05-15T12:00"),
        *("--config", here.config),
    )
    assert slots(done) == ["2024-05-15T15:00:00+09:00"]


def test_slots_that_maintenance_skips_are_not_owed(place, cli):
    window = '{ schedule = "0 5 * * *", duration = "10h", mode = "skip" }'
    here = place(f'[jobs.often]\nschedule = "every 6h"\nmaintenance = [{window}]\n')
    done = cli("next", "-n", "2", "--json", "--config", here.config, now="01:00")
    assert slots(done) == ["2024-05-15T18:00:00+00:00", "2024-05-16T00:00:00+00:00"]


def test_the_table_shows_slot_job_and_deadline(place, cli):
    here = place(JOBS)
    done = cli("next", "-n", "2", "--config", here.config, now="2024-05-15T00:30:00")
    assert done.lines == [
        "SLOT                                   JOB      DEADLINE",
        "Wed 2024-05-15 03:00 +0200  in 30 min  nightly  04:05",
        "Wed 2024-05-15 06:00 +0000  in 5 h     often    06:11",
    ]


def test_where_no_slot_is_known_it_says_so(place, cli):
    done = cli("next", "boot", "--config", place(JOBS).config)
    assert (done.code, done.out.startswith("none is known: ")) == (0, True)


def test_a_job_that_nobody_knows_is_refused_with_a_near_one(place, cli):
    done = cli("next", "nightlly", "--config", place(JOBS).config)
    assert done.code == 2
    assert 'no job "nightlly" (did you mean "nightly"?)' in done.err


# ---- for a schedule -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vector", VECTORS, ids=lambda v: f"{v['expr']} {v['tz']} {v['start_local']}"
)
def test_clock_changes_are_as_the_host_s_cron_has_them(coming, vector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ("--from", vector["start_local"], "-n", len(vector["next"]))
    done = coming(vector["expr"], "--timezone", vector["tz"], *given)
    assert list(map(instant, slots(done))) == list(map(instant, vector["next"]))
    assert list(map(offset_of, slots(done))) == list(map(offset_of, vector["next"]))


def test_a_spring_gap_says_how_often_cron_starts_it(coming, cli):
    given = ("--timezone", "Europe/Berlin", "--from", "2026-03-29", "-n", "1")
    (row,) = coming("0,30 2 * * *", *given).json["slots"]
    assert row == {
        "job": None,
        "slot": "2026-03-29T03:00:00+02:00",
        "deadline": None,
        "starts": 2,
    }
    shown = cli("next", "--schedule", "0,30 2 * * *", *given, now="2026-03-28T01:00:00+01:00")
    assert shown.lines[1] == (
        "Sun 2026-03-29 03:00 +0200  in 1 d  2026-03-29 01:00  cron starts it 2 times"
    )


def test_without_a_zone_it_is_the_host_s(coming):
    assert slots(coming("06:00", "--from", "2024-05-15T00:00:00Z", "-n", "1")) == [
        "2024-05-15T06:00:00+00:00"
    ]


def test_the_end_of_the_calendar_ends_the_list(coming):
    done = coming("0 0 1 1 *", "--from", "9989-06-01", "-n", "50")
    assert done.code == 0
    assert slots(done)[0] == "9990-01-01T00:00:00+00:00"
    assert 8 <= len(slots(done)) <= 10


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        pytest.param(["--schedule", "61 * * * *"], "Invalid value for --schedule", id="schedule"),
        pytest.param(["--schedule", "30 2 30 2 *"], "Invalid value for --schedule", id="never"),
        pytest.param(
            ["--schedule", "@daily", "--timezone", "Europe/Berln"],
            'did you mean "Europe/Berlin"?',
            id="zone",
        ),
        pytest.param(["--schedule", "@daily", "--from", "soon"], '(got "soon")', id="instant"),
        pytest.param(["--schedule", "@daily", "--from", "0001-01-01"], "1970 to", id="too early"),
        pytest.param(["--schedule", "@daily", "x"], "name no job", id="a job as well"),
        pytest.param(["--timezone", "UTC"], "belongs to --schedule", id="a zone alone"),
        pytest.param(["--schedule", "@daily", "-n", "0"], "Invalid value for '-n'", id="none"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(cli, arguments, what):
    done = cli("next", *arguments)
    assert (done.code, done.out) == (2, "")
    assert what in done.err
