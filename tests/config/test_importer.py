"""The import of the tutorial's cron_config.json."""

import json
from pathlib import Path

import pytest

from cronverifyd.config.importer import import_tutorial
from cronverifyd.config.load import load
from cronverifyd.errors import ConfigError

FIXTURE = Path(__file__).parent.parent / "fixtures" / "cron_config.json"


def entry(**changes):
    whole = {
        "name": "invoice-gen",
        "cron_utc": "30 2 * * *",
        "max_duration_min": 30,
        "expected_status": "success",
    }
    return {key: value for key, value in (whole | changes).items() if value is not ...}


def imported(entry, **environ):
    return import_tutorial(json.dumps({"jobs": [entry]}), environ=environ)


def problems(text):
    with pytest.raises(ConfigError) as caught:
        import_tutorial(text, environ={})
    return str(caught.value).splitlines()


def loaded(tmp_path, text, **environ):
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ=environ)


def test_the_tutorials_ten_jobs_become_a_configuration_that_loads(tmp_path):
    text = import_tutorial(FIXTURE.read_text(encoding="utf-8"), environ={})
    config = loaded(tmp_path, text, CUEAPI_WEBHOOK_SECRET="s3cret")

    given = json.loads(FIXTURE.read_text(encoding="utf-8"))["jobs"]
    assert len(given) == 10
    assert [
        (job.name, job.schedule, job.timezone, job.max_duration_s, job.expected_status)
        for job in config.jobs.values()
    ] == [
        (job["name"], job["cron_utc"], "UTC", job["max_duration_min"] * 60, job["expected_status"])
        for job in given
    ]
    assert config.cueapi.shared_secret.env == "CUEAPI_WEBHOOK_SECRET"
    assert list(config.channels) == ["console"]


def test_a_slack_channel_is_written_where_its_url_is_known(tmp_path):
    url = "https://hooks.slack.com/services/T0/B0/tell-nobody"
    text = imported(entry(), SLACK_WEBHOOK_URL=url)
    assert "tell-nobody" not in text

    config = loaded(tmp_path, text, SLACK_WEBHOOK_URL=url, CUEAPI_WEBHOOK_SECRET="s3cret")
    assert config.channels["slack"].url.env == "SLACK_WEBHOOK_URL"
    assert config.route == ("slack",)
    assert config.warnings == ()


@pytest.mark.parametrize("environ", [{}, {"SLACK_WEBHOOK_URL": ""}], ids=["unset", "empty"])
def test_without_its_url_the_slack_channel_is_a_comment(environ):
    assert '\n# [channels.slack]\n# kind = "slack"\n# url = {' in imported(entry(), **environ)


@pytest.mark.parametrize(
    ("minutes", "duration_s", "written"),
    [
        pytest.param(45, 2700, '"45m"', id="minutes"),
        pytest.param(12.5, 750, '"750s"', id="half a minute"),
        pytest.param(30.0, 1800, '"30m"', id="a float that is whole"),
        pytest.param(0.0125, 0.75, '"750ms"', id="less than a second"),
        pytest.param(0.1, 6, '"6s"', id="a float that binary cannot hold"),
    ],
)
def test_minutes_and_parts_of_them_keep_their_length(tmp_path, minutes, duration_s, written):
    text = imported(entry(max_duration_min=minutes))
    assert f"max_duration = {written}\n" in text
    assert loaded(tmp_path, text).jobs["invoice-gen"].max_duration_s == duration_s


def test_what_a_job_does_not_say_is_left_to_our_defaults(tmp_path):
    text = imported(entry(max_duration_min=..., expected_status=...))
    job = loaded(tmp_path, text).jobs["invoice-gen"]
    assert (job.max_duration_s, job.expected_status) == (3600, "success")


def test_names_and_words_survive_the_way_through_toml(tmp_path):
    text = imported(entry(name="db.backup_1", expected_status='fertig "ü" \\ 1'))
    job = loaded(tmp_path, text).jobs["db.backup_1"]
    assert job.expected_status == 'fertig "ü" \\ 1'


def test_all_problems_are_told_at_once_each_with_its_job():
    text = json.dumps(
        {
            "job": [],
            "jobs": [
                entry(name="a", cron_utc="61 2 * * *"),
                entry(name="b", max_duration="1", expected_status=""),
                entry(name="c", max_duration_min="30"),
                entry(name="a"),
                entry(name="daily report!"),
                entry(name=..., cron_utc=...),
                7,
                entry(name=7, max_duration_min=True),
                entry(name="d", max_duration_min=0, cron_utc=5, expected_status="x" * 41),
            ],
        }
    )
    found = problems(text)
    assert [line.removeprefix("cron_config.json: ") for line in found if "61" not in line] == [
        'job: unknown key (did you mean "jobs"?)',
        'jobs[1] (b): max_duration: unknown key (did you mean "max_duration_min"?)',
        'jobs[1] (b): expected_status: must be one line of printable text (got "")',
        'jobs[2] (c): max_duration_min: must be a number of minutes (got "30")',
        "jobs[3] (a): name: jobs[0] has it already",
        (
            "jobs[4] (daily report!): name: a name must begin with a letter or a digit, and have "
            "only letters, digits, dots, dashes and underscores, 100 at most "
            '(such as "daily-report")'
        ),
        "jobs[5]: name: missing",
        "jobs[5]: cron_utc: missing",
        "jobs[6]: must be an object (got 7)",
        "jobs[7]: name: must be a text in quotes (got 7)",
        "jobs[7]: max_duration_min: must be a number of minutes (got true)",
        "jobs[8] (d): cron_utc: must be a text in quotes (got 5)",
        "jobs[8] (d): max_duration_min: must be more than 0 and at most 527040 (got 0)",
        f'jobs[8] (d): expected_status: must have 40 characters at most (got "{"x" * 41}")',
    ]
    (bad_schedule,) = [line for line in found if "61" in line]
    assert bad_schedule.startswith("cron_config.json: jobs[0] (a): cron_utc: ")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            '{"jobs": [\n  {"name": }]}',
            "cron_config.json:2: not valid JSON at column 12: Expecting value",
            id="broken JSON",
        ),
        pytest.param(
            '{"jobs": [], "jobs": []}',
            'cron_config.json: not valid JSON: the key "jobs" stands twice in one object',
            id="a key twice",
        ),
        pytest.param(
            '{"jobs": [{"max_duration_min": NaN}]}',
            "cron_config.json: not valid JSON: NaN is not a number",
            id="no number",
        ),
        pytest.param(
            "[" * 100_000, "cron_config.json: not valid JSON: nested too deeply", id="too deep"
        ),
        pytest.param(
            "[]", 'cron_config.json: must be an object such as {"jobs": [...]}', id="a list"
        ),
        pytest.param(
            '{"jobs": []}', "cron_config.json: jobs: must be a list of at least one job", id="none"
        ),
        pytest.param(
            '{"jobs": null}',
            "cron_config.json: jobs: must be a list of at least one job",
            id="null",
        ),
    ],
)
def test_a_file_that_is_no_list_of_jobs_is_one_sentence(text, sentence):
    assert problems(text) == [sentence]


def test_the_file_is_named_as_it_was_given():
    with pytest.raises(ConfigError, match=r"^old/jobs\.json: jobs: "):
        import_tutorial("{}", environ={}, file="old/jobs.json")
