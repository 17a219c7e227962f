"""The keys of [alerts]."""

import pytest

from cronverifyd.config.load import load

CHANNELS = '[channels.ops]\nkind = "console"\n[channels.mail]\nkind = "console"\n'


def test_without_them_people_are_reminded_and_storms_are_gathered(write):
    alerts = load(write("")).alerts
    assert (alerts.second, alerts.gather_s) == ((), 5.0)
    assert alerts.remind_s == (3_600.0, 14_400.0, 86_400.0)


def test_they_are_read(write):
    text = CHANNELS + '[alerts]\nsecond = ["mail"]\nremind = ["30m"]\ngather = "0s"\n'
    alerts = load(write(text)).alerts
    assert (alerts.second, alerts.remind_s, alerts.gather_s) == (("mail",), (1_800.0,), 0.0)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ('second = ["nobody"]', 'alerts.second[0]: there is no channel "nobody"'),
        ('remind = ["4h", "1h"]', "alerts.remind: must rise: each is counted from the opening"),
        ('remind = ["0s"]', 'alerts.remind[0]: must be positive (got "0s")'),
        ("gather = 5", "alerts.gather: must be a text in quotes (got 5)"),
        ('gather = "-5s"', 'alerts.gather: must not be negative (got "-5s")'),
    ],
)
def test_what_is_wrong_with_them_is_told(problems, key, problem):
    assert problems(f"{CHANNELS}[alerts]\n{key}") == [f"config.toml:6: {problem}"]
