"""All that can be wrong with a configuration file, and how it is told."""

import os
from pathlib import Path

import pytest

from cronverifyd.config.load import load
from cronverifyd.errors import ConfigError

JOB = '[jobs.a]\nschedule = "0 3 * * *"\n'

MISTAKES = [
    ("job = 1", '1: job: unknown key (did you mean "jobs"?)'),
    ("zzz = 1", "1: zzz: unknown key"),
    ("daemon = 3", "1: daemon: must be a table (got a number)"),
    ("jobs = []", "1: jobs: must be a table (got a list)"),
    ("jobs.a = 1", "1: jobs.a: must be a table (got a number)"),
    ("[[jobs.a]]", "1: jobs.a: must be a table (got a list)"),
    ("[daemon]\nstate = 1", '2: daemon.state: unknown key (did you mean "state_dir"?)'),
    ("[daemon]\nstate_dir = 1", "2: daemon.state_dir: must be a text in quotes (got 1)"),
    (
        "[daemon]\nstate_dir = ''",
        '2: daemon.state_dir: must be one line of printable text (got "")',
    ),
    (
        '[daemon]\nstate_dir = "a\\u0000"',
        '2: daemon.state_dir: must be one line of printable text (got "a\\u0000")',
    ),
    ("[daemon]\noutcomes = 'x'", "2: daemon.outcomes: must be a list (got a text)"),
    (
        f"{JOB}expect = ['duration > 30 sec']",
        (
            '3: jobs.a.expect[0]: column 12: "30 sec" is not a duration (s, m, h, d, ms)'
            ' (got "duration > 30 sec")'
        ),
    ),
    ("[daemon]\noutcomes = []", "2: daemon.outcomes: must not be empty"),
    (
        "[daemon]\noutcomes = ['state/r*.jsonl']",
        (
            '2: daemon.outcomes: "state/r*.jsonl" takes in rejected.jsonl, which the daemon'
            " writes itself"
        ),
    ),
    (
        "[daemon]\noutcomes = [\n'x',\n1]",
        "2: daemon.outcomes[1]: must be a text in quotes (got 1)",
    ),
    (
        "[daemon]\ntimezone = 'europe/paris'",
        '2: daemon.timezone: unknown time zone "europe/paris" (did you mean "Europe/Paris"?)',
    ),
    (
        "[daemon]\ntimezone = '../../etc/passwd'",
        '2: daemon.timezone: unknown time zone "../../etc/passwd"',
    ),
    ("[daemon]\ninstance = true", "2: daemon.instance: must be a text in quotes (got true)"),
    (
        "[daemon]\ninstance = 1979-05-27",
        "2: daemon.instance: must be a text in quotes (got a date or time)",
    ),
    (
        "[listen]\nstatus = '127.0.0.1:8400'",
        "2: listen.status: is the trigger's address: one of them must move",
    ),
    (
        "[listen]\nnames = ['http://web1']",
        '2: listen.names[0]: must be a host name, with its port if it is not 80 (got "http://web1")',
    ),
    (
        "[cueapi]\ntransport = 'worker'",
        '2: cueapi.transport: "worker" needs cueapi.api_key',
    ),
    (
        "[cueapi]\ntransport = 'push'",
        '2: cueapi.transport: must be "off" or "webhook" or "worker" (got "push")',
    ),
    ("[cueapi]\nbase_url = 'http://api.cueapi.ai'", "2: cueapi.base_url: must be an https:// URL"),
    (
        "[cueapi]\nbase_url = 'https://a:b@api.cueapi.ai'",
        "2: cueapi.base_url: must not bear a name or a password",
    ),
    (
        "[cueapi]\nbase_url = 'api.cueapi.ai'",
        '2: cueapi.base_url: must be an http:// or https:// URL (got "api.cueapi.ai")',
    ),
    (
        "[cueapi]\nwebhook_url = 'http://cron.example.com/verify'",
        "2: cueapi.webhook_url: must be an https:// URL",
    ),
    (
        "[cueapi]\nwebhook_url = 'https://192.168.1.2/verify'",
        (
            "2: cueapi.webhook_url: is no address on the internet, and CueAPI delivers to no other;"
            ' try: transport = "worker"'
        ),
    ),
    (
        "[cueapi]\nwebhook_url = 'https://web1:8443/verify'",
        (
            "2: cueapi.webhook_url: is no address on the internet, and CueAPI delivers to no other;"
            ' try: transport = "worker"'
        ),
    ),
    (
        "[cueapi]\ntransport = 'webhook'\n[listen]\ntrigger = 'off'",
        '2: cueapi.transport: "webhook" needs listen.trigger, which is off',
    ),
    (
        "[cueapi]\nfallback_after = '-1s'",
        '2: cueapi.fallback_after: must not be negative (got "-1s")',
    ),
    ("[channels]\nx.url = { env = 'U' }", "2: channels.x.kind: missing"),
    (
        "[channels.x]\nkind = 'slack'",
        "1: channels.x.url: missing: a slack channel needs its webhook's URL",
    ),
    (
        "[channels.x]\nkind = 'console'\nurl = { env = 'U' }",
        "3: channels.x.url: a console channel has no url",
    ),
    (
        "[channels.x]\nkind = 'console'\nseverity = ['critical', 'loud']",
        '3: channels.x.severity[1]: must be "critical" or "warning" or "info" (got "loud")',
    ),
    (
        "[channels.'a b']\nkind = 'console'",
        (
            '1: channels."a b": a name must begin with a letter or a digit, and have only letters, '
            "digits, dots, dashes and underscores, 100 at most"
        ),
    ),
    ("[alerts]\nchannels = []", "2: alerts.channels: must not be empty"),
    (
        "[alerts]\nchannels = ['consol']",
        '2: alerts.channels[0]: there is no channel "consol" (did you mean "console"?)',
    ),
    (
        "[alerts]\nchannels = ['console', 'console']",
        "2: alerts.channels[1]: stands in the list twice",
    ),
    (JOB + "channels = ['nobody']", '3: jobs.a.channels[0]: there is no channel "nobody"'),
    (JOB + "max_duration = 45", "3: jobs.a.max_duration: must be a text in quotes (got 45)"),
    (JOB + "max_duration = '0s'", '3: jobs.a.max_duration: must be positive (got "0s")'),
    (
        JOB + "max_duration = '9999d'",
        '3: jobs.a.max_duration: must not be longer than 366d (got "9999d")',
    ),
    (
        JOB + "start_within = '66m'",
        "3: jobs.a.start_within: must not be longer than max_duration + grace (1 h 5 min)",
    ),
    (
        JOB + "expected_status = ''",
        '3: jobs.a.expected_status: must be one line of printable text (got "")',
    ),
    (
        JOB + f"expected_status = '{'x' * 41}'",
        f'3: jobs.a.expected_status: must have 40 characters at most (got "{"x" * 41}")',
    ),
    (
        JOB + "severity = 'crit'",
        (
            '3: jobs.a.severity: must be "critical" or "warning" or "info" (got "crit") '
            '(did you mean "critical"?)'
        ),
    ),
    (JOB + "enabled = 0", "3: jobs.a.enabled: must be true or false (got 0)"),
    (JOB + "enabled = 'no'", '3: jobs.a.enabled: must be true or false (got "no")'),
    (
        "[heartbeat]\nurl = { env = 'H' }\nevery = '900ms'\n",
        "3: heartbeat.every: must be at least 1 s",
    ),
    (
        "[jobs.cronverifyd-drill]\nschedule = '06:00'",
        "1: jobs.cronverifyd-drill: this name is kept for drills",
    ),
    (
        f"[jobs.{'x' * 101}]\nschedule = '06:00'",
        (
            f"1: jobs.{'x' * 101}: a name must begin with a letter or a digit, and have only "
            "letters, digits, dots, dashes and underscores, 100 at most"
        ),
    ),
]


def test_all_problems_are_told_at_once_in_the_order_of_their_lines(problems):
    text = """\
[jobs.db-backup]
schedule = "0 3 * * *"
max_durration = "1h"
grace = "-5m"

[channels.ops]
kind = "slak"

[heartbeat]
every = "60s"

[jobs.late]
grace = "5"

[daemon]
timezone = "paris"
"""
    assert problems(text) == [
        'config.toml:3: jobs.db-backup.max_durration: unknown key (did you mean "max_duration"?)',
        'config.toml:4: jobs.db-backup.grace: must be positive (got "-5m")',
        (
            'config.toml:7: channels.ops.kind: must be "slack" or "console" or "webhook" or '
            '"command" or "email" or "apprise" (got "slak") (did you mean "slack"?)'
        ),
        "config.toml:9: heartbeat.url: missing: nobody would hear the heartbeat",
        "config.toml:12: jobs.late.schedule: missing",
        (
            'config.toml:13: jobs.late.grace: must be a duration such as "90s", "15m" or "1h30m" '
            '(got "5")'
        ),
        'config.toml:16: daemon.timezone: unknown time zone "paris" (did you mean "Europe/Paris"?)',
    ]


@pytest.mark.parametrize(
    ("text", "problem"), MISTAKES, ids=[problem.split(": ")[1] for _, problem in MISTAKES]
)
def test_each_mistake_is_told_with_its_line_and_its_key(problems, text, problem):
    assert problems(text) == [f"config.toml:{problem}"]


@pytest.mark.parametrize("trigger", ["8400", ":8400", "*:8400", "::1:8400", "[1.2.3.4]:8400"])
def test_a_listener_needs_a_host(problems, trigger):
    assert problems(f'[listen]\ntrigger = "{trigger}"') == [
        (
            'config.toml:2: listen.trigger: must be "host:port", "[IPv6]:port" or "off" '
            f'(got "{trigger}")'
        )
    ]


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "http", "9" * 30, "٣"])
def test_a_listener_needs_a_port(problems, port):
    assert problems(f'[listen]\ntrigger = "127.0.0.1:{port}"') == [
        (
            "config.toml:2: listen.trigger: must end with a port from 1 to 65535 "
            f'(got "127.0.0.1:{port}")'
        )
    ]


@pytest.mark.parametrize("host", ["999.1.1.1", "127.1", "-x", "a b", "a/b"])
def test_a_listener_needs_a_host_that_can_be_one(problems, host):
    (problem,) = problems(f'[listen]\ntrigger = "{host}:8400"')
    assert "host:port" in problem


@pytest.mark.parametrize(
    "runbook", ["wiki/x", "ftp://wiki/x", "https://", "https://[::1", "https://a b/"]
)
def test_a_runbook_must_be_a_web_page(problems, runbook):
    assert problems(JOB + f'runbook = "{runbook}"') == [
        f'config.toml:3: jobs.a.runbook: must be an http:// or https:// URL (got "{runbook}")'
    ]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("daemon", "retention"),
    ],
)
def test_keys_of_later_versions_are_refused_by_name(problems, table, key):
    text = JOB if table == "jobs.a" else f"[{table}]\n"
    line = text.count("\n") + 1
    assert problems(f'{text}{key} = "x"') == [
        f"config.toml:{line}: {table}.{key}: not yet supported"
    ]


def test_a_schedule_that_cannot_be_read_is_told_in_the_words_of_the_schedule(problems):
    (problem,) = problems('[jobs.a]\nschedule = "0 99 * * *"')
    assert problem.startswith("config.toml:2: jobs.a.schedule: ")
    assert '"99"' in problem


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        pytest.param('"0 0 30 2 *"', "never comes", id="30 February"),
        pytest.param('"0 0 31 4,6 *"', "never comes", id="31 April and June"),
        pytest.param('"* * *"', 'must have five fields, .* (got 3 in "* * *")', id="three fields"),
        pytest.param('"61 * * * *"', 'cannot read the minute "61"', id="minute 61"),
        pytest.param('"every -5m"', '(got "-5m")', id="a negative period"),
        pytest.param('""', 'must be one line of printable text (got "")', id="nothing"),
        pytest.param("06:00:00", "must be a text in quotes (got a date or time)", id="a time"),
        pytest.param("2024-05-15", "must be a text in quotes (got a date or time)", id="a date"),
    ],
)
def test_a_schedule_that_cannot_be_is_one_problem_at_its_line(problems, schedule, words):
    (problem,) = problems(f"[jobs.a]\n\nschedule = {schedule}")
    assert problem.startswith("config.toml:3: jobs.a.schedule: ")
    for part in words.split(" .* "):
        assert part in problem


@pytest.mark.parametrize(
    ("assertion", "words"),
    [
        pytest.param(r"output =~ /(/", "column 12: the pattern cannot be read", id="a bracket"),
        pytest.param(r"output =~ /(?=x)/", "column 12: (?= looks around", id="a look ahead"),
        pytest.param("metric.rows >= 'many'", "column 16: \"'many'\" is not a number", id="a text"),
        pytest.param("metric.rows >= nan", 'column 16: "nan" is not a number', id="NaN"),
        pytest.param("duration > -5s", 'column 12: "-5s" is not a duration', id="a negative time"),
    ],
)
def test_an_assertion_that_cannot_be_read_is_told_with_its_column(problems, assertion, words):
    (problem,) = problems(JOB + f'expect = ["exit_code == 0", "{assertion}"]')
    assert problem.startswith(f"config.toml:3: jobs.a.expect[1]: {words}")


@pytest.mark.parametrize("key", ["max_duration", "grace", "start_within"])
def test_a_negative_duration_is_one_problem_at_its_line(problems, key):
    assert problems(f'{JOB}{key} = "-5m"') == [
        f'config.toml:3: jobs.a.{key}: must be positive (got "-5m")'
    ]


@pytest.mark.parametrize(
    "key", ["timezone", "max_duration", "grace", "start_within", "expected_status", "runbook"]
)
@pytest.mark.parametrize("value", ["2024-05-15", "01:00:00", "2024-05-15T01:00:00Z"])
def test_a_date_or_time_is_no_text(problems, key, value):
    assert problems(f"{JOB}{key} = {value}") == [
        f"config.toml:3: jobs.a.{key}: must be a text in quotes (got a date or time)"
    ]


def test_a_date_is_no_list(problems):
    assert problems(JOB + "expect = 2024-05-15") == [
        "config.toml:3: jobs.a.expect: must be a list (got a date or time)"
    ]


@pytest.mark.parametrize(
    ("zone", "near"),
    [
        pytest.param("Europe/Pariss", ' (did you mean "Europe/Paris"?)', id="a letter too many"),
        pytest.param("berlin", ' (did you mean "Europe/Berlin"?)', id="the city only"),
        pytest.param("Mars/Olympus", "", id="no such place"),
    ],
)
def test_the_unknown_zone_of_a_job_is_one_problem_with_what_is_near(problems, zone, near):
    assert problems(f'{JOB}timezone = "{zone}"') == [
        f'config.toml:3: jobs.a.timezone: unknown time zone "{zone}"{near}'
    ]


def test_a_number_beyond_all_measure_is_shown_by_its_kind(problems):
    assert problems(f"{JOB}grace = 0x{'f' * 5000}") == [
        "config.toml:3: jobs.a.grace: must be a text in quotes (got a number)"
    ]


def test_a_folder_of_zones_is_no_zone(problems):
    (problem,) = problems('[daemon]\ntimezone = "Europe"')
    assert problem.startswith('config.toml:2: daemon.timezone: unknown time zone "Europe"')


def test_a_mistyped_window_brings_no_second_complaint_about_the_start(problems):
    text = JOB + 'max_durration = "4h"\nstart_within = "3h"\n'
    (problem,) = problems(text)
    assert "max_durration" in problem


def test_a_window_that_is_known_is_held_against_the_start_beside_other_mistakes(problems):
    text = JOB + 'max_duration = "1h"\ngrace = "1m"\nstart_within = "2h"\nseverity = "loud"\n'
    assert [line.split(": ")[1] for line in problems(text)] == [
        "jobs.a.start_within",
        "jobs.a.severity",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            "[daemon]\n\ntimezone = \n",
            "config.toml:3: not valid TOML at column 12: Invalid value",
            id="no value",
        ),
        pytest.param(
            "a = [\n1,\n", "config.toml:2: not valid TOML: Invalid value", id="an array without end"
        ),
        pytest.param(
            JOB + JOB,
            "config.toml:3: not valid TOML at column 8: Cannot declare ('jobs', 'a') twice",
            id="a table twice",
        ),
        pytest.param(
            "a = " + "[" * 100_000,
            "config.toml:1: not valid TOML: nested too deeply",
            id="too deep",
        ),
        pytest.param(
            b"[daemon]\ninstance = 'M\xfcnchen'\n",
            "config.toml:2: is not UTF-8 text",
            id="Latin-1",
        ),
    ],
)
def test_a_file_that_is_no_toml_is_one_sentence_with_its_line(problems, text, sentence):
    assert problems(text) == [sentence]


def test_a_number_without_measure_is_one_sentence(problems):
    (problem,) = problems("a = " + "1" * 5000)
    assert problem.startswith("config.toml:1: not valid TOML: ")


def test_a_byte_order_mark_is_no_problem(write):
    assert load(write(b"\xef\xbb\xbf" + JOB.encode()), environ={}).jobs


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        pytest.param(Path.exists, "there is no such file", id="missing"),
        pytest.param(Path.mkdir, "cannot be read: Is a directory", id="a folder"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_a_remedy(tmp_path, prepare, sentence):
    path = tmp_path / "config.toml"
    prepare(path)
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert str(caught.value) == f"{path}: {sentence}"
    assert caught.value.remedy


@pytest.fixture
def nobody():
    """Be a user who may read next to nothing, where the tests are run by root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(user)


def test_a_file_that_this_user_may_not_read_is_told_with_a_remedy(write, request):
    path = write(JOB, mode=0o000)
    request.getfixturevalue("nobody")
    with pytest.raises(ConfigError, match=r"^config\.toml: cannot be read: Permission") as caught:
        load(path, environ={})
    assert caught.value.remedy
