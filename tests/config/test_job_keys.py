"""How much a job may fail, when it is not looked at, and what it must have made."""

import pytest

from cronverifyd.config.load import load
from cronverifyd.model import ArtifactRule, Maintenance, MaintenanceMode

JOB = '[jobs.a]\nschedule = "0 3 * * *"\n'
ARTIFACT = '[[jobs.a.artifact]]\npath = "/x"\n'


@pytest.fixture
def job(write):
    """Load the job `a` with these lines."""

    def load_job(lines, head=JOB):
        return load(write(head + lines), environ={}).jobs["a"]

    return load_job


def window(**changed):
    values = {"schedule": "0 2 * * 0", "duration": "3h"} | changed
    inner = ", ".join(f'{key} = "{value}"' for key, value in values.items())
    return f"maintenance = [{{ {inner} }}]"


# ---- tolerate, recover_after ---------------------------------------------------------------------


def test_a_job_that_says_nothing_tolerates_nothing_and_owns_nothing(job):
    found = job("")
    assert (found.tolerate, found.recover_after) == (0, 1)
    assert (found.maintenance, found.artifacts) == ((), ())


@pytest.mark.parametrize("most", [0, 1, 1000])
def test_bad_slots_are_tolerated_up_to_a_thousand(job, most):
    assert job(f"tolerate = {most}").tolerate == most


@pytest.mark.parametrize("most", [1, 2, 1000])
def test_good_slots_are_waited_for_up_to_a_thousand(job, most):
    assert job(f"recover_after = {most}").recover_after == most


@pytest.mark.parametrize(("key", "least"), [("tolerate", 0), ("recover_after", 1)])
@pytest.mark.parametrize("value", ['"3"', "-1", "1001", "true", "1.0", "nan", "inf"])
def test_what_is_no_such_number_of_slots_is_refused(problems, key, least, value):
    assert problems(f"{JOB}{key} = {value}") == [
        f"config.toml:3: jobs.a.{key}: must be a whole number from {least} to 1000 (got {value})"
    ]


def test_a_job_that_recovers_after_nothing_is_refused(problems):
    assert problems(JOB + "recover_after = 0") == [
        "config.toml:3: jobs.a.recover_after: must be a whole number from 1 to 1000 (got 0)"
    ]


def test_a_date_is_no_number_of_slots(problems):
    assert problems(JOB + "tolerate = 2024-05-15") == [
        "config.toml:3: jobs.a.tolerate: must be a whole number from 0 to 1000 (got a date or time)"
    ]


# ---- maintenance ---------------------------------------------------------------------------------

NIGHTS = (
    Maintenance(schedule="0 2 * * 0", duration_s=10_800, mode=MaintenanceMode.MUTE),
    Maintenance(schedule="every 24h", duration_s=3_600, mode=MaintenanceMode.SKIP),
)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(
            'maintenance = [\n{ schedule = "0 2 * * 0", duration = "3h" },\n'
            '{ schedule = "every 24h", duration = "1h", mode = "skip" } ]\n',
            id="inline",
        ),
        pytest.param(
            '[[jobs.a.maintenance]]\nschedule = "0 2 * * 0"\nduration = "3h"\nmode = "mute"\n'
            '[[jobs.a.maintenance]]\nschedule = "every 24h"\nduration = "1h"\nmode = "skip"\n',
            id="headers",
        ),
    ],
)
def test_maintenance_is_read_in_both_ways_of_writing_it(job, lines):
    assert job(lines).maintenance == NIGHTS


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("maintenance = 3", "3: jobs.a.maintenance: must be a list of tables (got a number)"),
        ("maintenance = []", "3: jobs.a.maintenance: must not be empty"),
        ("maintenance = [3]", "3: jobs.a.maintenance[0]: must be a table (got a number)"),
        (
            'maintenance = { schedule = "0 2 * * 0", duration = "3h" }',
            (
                "3: jobs.a.maintenance: must be a list of tables (got a table): "
                "write [[jobs.a.maintenance]]"
            ),
        ),
        (
            'maintenance = [{ schedule = "0 2 * * 0" }]',
            "3: jobs.a.maintenance[0].duration: missing",
        ),
        ('maintenance = [{ duration = "3h" }]', "3: jobs.a.maintenance[0].schedule: missing"),
        (
            window(duration="-3h"),
            '3: jobs.a.maintenance[0].duration: must be positive (got "-3h")',
        ),
        (window(duration="0s"), '3: jobs.a.maintenance[0].duration: must be positive (got "0s")'),
        (
            'maintenance = [{ schedule = "0 2 * * 0", duration = 03:00:00 }]',
            ("3: jobs.a.maintenance[0].duration: must be a text in quotes (got a date or time)"),
        ),
        (
            window(mode="hide"),
            '3: jobs.a.maintenance[0].mode: must be "mute" or "skip" (got "hide")',
        ),
        (
            window(mode="skipp"),
            (
                '3: jobs.a.maintenance[0].mode: must be "mute" or "skip" (got "skipp") '
                '(did you mean "skip"?)'
            ),
        ),
        (
            window(duraton="1h"),
            '3: jobs.a.maintenance[0].duraton: unknown key (did you mean "duration"?)',
        ),
        (
            window(schedule="@reboot"),
            (
                '3: jobs.a.maintenance[0].schedule: must name times, as "0 2 * * 0" does '
                '(got "@reboot")'
            ),
        ),
        (
            window(schedule="0 0 30 2 *"),
            (
                '3: jobs.a.maintenance[0].schedule: "0 0 30 2 *" never comes: none of its months '
                "has such a day"
            ),
        ),
    ],
    ids=range(1, 15),
)
def test_what_is_wrong_with_a_window_is_told_at_its_place(problems, lines, problem):
    assert problems(JOB + lines) == [f"config.toml:{problem}"]


def test_each_window_of_a_list_has_its_own_line(problems):
    good = '[[jobs.a.maintenance]]\nschedule = "0 2 * * 0"\nduration = "3h"\n'
    assert problems(JOB + good + good.replace("3h", "3") + good.replace("2", "25")) == [
        (
            "config.toml:8: jobs.a.maintenance[1].duration: must be a duration such as "
            '"90s", "15m" or "1h30m" (got "3")'
        ),
        (
            "config.toml:10: jobs.a.maintenance[2].schedule: cannot read the hour "
            '"25" of "0 25 * * 0": it must be 0-23, *, a list, a range from low to high or a step '
            "such as */5"
        ),
    ]


def test_a_window_is_read_in_the_zone_of_its_job(problems):
    line = window(schedule="oncalendar: 8/12:00", duration="1h")
    (problem,) = problems(f'{JOB}timezone = "Europe/Berlin"\n{line}')
    assert problem.startswith("config.toml:4: jobs.a.maintenance[0].schedule: ")
    assert problems(f'{JOB}timezone = "UTC"\n{line}\ntolerate = -1') == [
        "config.toml:5: jobs.a.tolerate: must be a whole number from 0 to 1000 (got -1)"
    ]


@pytest.mark.parametrize(
    ("schedule", "duration", "words"),
    [
        pytest.param("0 2 * * *", "24h", "1 d", id="a day, every day"),
        pytest.param("0 2 * * 0", "8d", "8 d", id="eight days, every week"),
        pytest.param("0 0 1 * *", "31d", "31 d", id="the longest month"),
        pytest.param("*/15 * * * *", "15m", "15 min", id="back to back"),
        pytest.param("* * * * *", "1m", "1 min", id="every minute"),
        pytest.param("every 6h", "6h", "6 h", id="a period"),
        pytest.param("oncalendar: Sat 00:00", "7d", "7 d", id="a timer of systemd"),
    ],
)
def test_a_window_that_never_ends_is_refused(problems, schedule, duration, words):
    assert problems(
        '[daemon]\ntimezone = "Europe/Berlin"\n'
        + JOB
        + window(schedule=schedule, duration=duration)
    ) == [
        (
            "config.toml:5: jobs.a.maintenance[0].duration: would never end: "
            f"the next window begins within {words}"
        )
    ]


@pytest.mark.parametrize(
    ("schedule", "duration"),
    [
        pytest.param("0 0 * * 6", "2d", id="a weekend"),
        pytest.param("0 0,12 * * 6", "2d", id="two that overlap"),
        pytest.param("*/5 0-20 * * *", "5m", id="back to back, but not at night"),
        pytest.param("0 0 1 * *", "30d", id="all but the thirty-first"),
        pytest.param("0 2 * * *", "23h59m", id="all but a minute"),
        pytest.param("0 0 1 1 *", "30d", id="once a year"),
        pytest.param("oncalendar: 2030-01-01 00:00", "366d", id="once and never again"),
    ],
)
def test_a_window_that_ends_at_times_is_taken(job, schedule, duration):
    (found,) = job(window(schedule=schedule, duration=duration)).maintenance
    assert found.schedule == schedule


# ---- artifacts -----------------------------------------------------------------------------------


def test_artifacts_are_read_with_paths_from_the_folder_of_the_file(job, tmp_path):
    found = job(
        '[[jobs.a.artifact]]\npath = "made/*.gz"\nmin_size = "10MB"\nshrink = 0.5\n'
        "changed = true\nopens = true\n"
        '[[jobs.a.artifact]]\npath = "/backups/db"\nmin_size = 512\n'
    )
    assert found.artifacts == (
        ArtifactRule(
            path=f"{tmp_path}/made/*.gz", min_size=10_000_000, shrink=0.5, changed=True, opens=True
        ),
        ArtifactRule(path="/backups/db", min_size=512),
    )


def test_an_artifact_may_be_written_inline_and_with_its_path_alone(job):
    assert job('artifact = [{ path = "/x" }]').artifacts == (ArtifactRule(path="/x"),)


def test_the_folder_of_the_file_is_no_pattern_for_artifacts(tmp_path):
    folder = tmp_path / "a[b]*"
    folder.mkdir()
    path = folder / "config.toml"
    path.write_text(JOB + '[[jobs.a.artifact]]\npath = "*.gz"\n', encoding="utf-8")
    (found,) = load(path, environ={}).jobs["a"].artifacts
    assert found.path == f"{tmp_path}/a[[]b][*]/*.gz"


@pytest.mark.parametrize(
    ("value", "size"),
    [
        pytest.param('"10MB"', 10_000_000, id="decimal"),
        pytest.param('"1.5GiB"', 1_610_612_736, id="binary"),
        pytest.param('"512"', 512, id="a text of bytes"),
        pytest.param("1", 1, id="a number"),
        pytest.param("9223372036854775807", 2**63 - 1, id="the largest"),
    ],
)
def test_a_least_size_is_read(job, value, size):
    (found,) = job(f"{ARTIFACT}min_size = {value}").artifacts
    assert found.min_size == pytest.approx(size)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("min_size = 0", "min_size: must be positive (got 0)"),
        ("min_size = -1", "min_size: must be positive (got -1)"),
        ('min_size = "0MB"', 'min_size: must be positive (got "0MB")'),
        ('min_size = "-5MB"', 'min_size: must be positive (got "-5MB")'),
        ("min_size = 1.5", 'min_size: must be a size such as "10MB" (got 1.5)'),
        ("min_size = inf", 'min_size: must be a size such as "10MB" (got inf)'),
        ("min_size = true", 'min_size: must be a size such as "10MB" (got true)'),
        (
            'min_size = "10 hectares"',
            'min_size: must be a size such as "512", "10MB" or "1.5GiB" (got "10 hectares")',
        ),
        ('min_size = "9999999TB"', 'min_size: no file can be that large (got "9999999TB")'),
        (f"min_size = 0x{'f' * 5000}", "min_size: no file can be that large (got a number)"),
        ('changed = "yes"', 'changed: must be true or false (got "yes")'),
        ("opens = 1", "opens: must be true or false (got 1)"),
        ("open = true", 'open: unknown key (did you mean "opens"?)'),
    ],
)
def test_what_is_wrong_with_an_artifact_is_told_at_its_place(problems, line, problem):
    assert problems(JOB + ARTIFACT + line) == [f"config.toml:5: jobs.a.artifact[0].{problem}"]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        pytest.param("50", " (did you mean 0.5?)", id="a percentage"),
        pytest.param("33.5", " (did you mean 0.335?)", id="a percentage with a part"),
        pytest.param("0", "", id="nothing"),
        pytest.param("0.0", "", id="nothing as well"),
        pytest.param("1", "", id="the whole"),
        pytest.param("100", "", id="a hundred"),
        pytest.param("-0.5", "", id="negative"),
        pytest.param("nan", "", id="NaN"),
        pytest.param("inf", "", id="infinite"),
        pytest.param("true", "", id="true"),
        pytest.param('"50%"', "", id="a text"),
    ],
)
def test_what_is_no_part_of_a_size_is_refused(problems, value, hint):
    assert problems(f"{JOB}{ARTIFACT}shrink = {value}") == [
        (
            "config.toml:5: jobs.a.artifact[0].shrink: must be a number between 0 and 1, "
            f"such as 0.5 (got {value}){hint}"
        )
    ]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("artifact = 3", "3: jobs.a.artifact: must be a list of tables (got a number)"),
        ("artifact = ['/x']", "3: jobs.a.artifact[0]: must be a table (got a text)"),
        (
            '[jobs.a.artifact]\npath = "/x"',
            (
                "3: jobs.a.artifact: must be a list of tables (got a table): "
                "write [[jobs.a.artifact]]"
            ),
        ),
        (
            "[[jobs.a.artifact]]\npath = 2024-05-15",
            "4: jobs.a.artifact[0].path: must be a text in quotes (got a date or time)",
        ),
        (ARTIFACT * 2, "6: jobs.a.artifact[1].path: stands in another rule of this job as well"),
        (
            '[[jobs.a.artifact]]\npath = "b/c"\n[[jobs.a.artifact]]\npath = "./b//c"\n',
            "6: jobs.a.artifact[1].path: stands in another rule of this job as well",
        ),
    ],
    ids=["a number", "a text", "one header", "a date", "twice", "twice, written otherwise"],
)
def test_what_is_no_list_of_artifacts_is_refused(problems, lines, problem):
    assert problems(JOB + lines) == [f"config.toml:{problem}"]


def test_artifacts_without_a_path_are_told_as_that_only(problems):
    assert problems(JOB + "[[jobs.a.artifact]]\n" * 2) == [
        "config.toml:3: jobs.a.artifact[0].path: missing",
        "config.toml:4: jobs.a.artifact[1].path: missing",
    ]


def test_two_jobs_may_look_at_one_artifact(write):
    other = (JOB + ARTIFACT).replace("jobs.a", "jobs.b")
    jobs = load(write(JOB + ARTIFACT + other), environ={}).jobs
    assert jobs["a"].artifacts == jobs["b"].artifacts == (ArtifactRule(path="/x"),)


# ---- A job at every boot -------------------------------------------------------------------------


def test_a_job_at_every_boot_has_an_hour_and_five_minutes(job):
    found = job("", head='[jobs.a]\nschedule = "@reboot"\n')
    assert (found.max_duration_s, found.grace_s) == (3_600, 300)
