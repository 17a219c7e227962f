"""`user` of a job: a name or a number; one that this host does not know is odd, and no error."""

import pytest

from cronverifyd.config.load import load

CONSOLE = '[channels.ops]\nkind = "console"\n'
JOB = CONSOLE + '[jobs.a]\nschedule = "0 3 * * *"\n'


@pytest.mark.parametrize(
    ("written", "uid"),
    [
        pytest.param("root", 0, id="a name"),
        pytest.param("54321", 54321, id="a number"),
    ],
)
def test_a_user_that_is_known(write, written, uid):
    config = load(write(f'{JOB}user = "{written}"\n'), environ={})
    assert (config.jobs["a"].user, config.jobs["a"].user_uid) == (written, uid)
    assert not [each for each in config.warnings if "user" in each]


def test_no_user(write):
    job = load(write(JOB), environ={}).jobs["a"]
    assert (job.user, job.user_uid) == (None, None)


def test_one_that_is_not_known_is_a_warning_with_a_guess(write):
    config = load(write(JOB + 'user = "roott"\n'), environ={})
    assert config.jobs["a"].user_uid is None
    (warning,) = [each for each in config.warnings if "user" in each]
    assert warning.startswith(
        'config.toml:5: jobs.a.user: this host has no user "roott" (did you mean "root"?): only'
    )


@pytest.mark.parametrize(
    "written", ['""', '" root"', "0", "true", f'"{"u" * 257}"'], ids=lambda text: text[:8]
)
def test_what_is_no_name_is_an_error(problems, written):
    (problem,) = problems(f"{JOB}user = {written}\n")
    assert problem.startswith("config.toml:5: jobs.a.user: must be ")
