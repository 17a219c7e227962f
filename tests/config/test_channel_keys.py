"""The keys of channels: each kind has its own."""

import sys
from pathlib import Path

import pytest

from cronverifyd.config.load import load
from cronverifyd.model import Channel, Mail, Severity, Tls

JOB = '[jobs.a]\nschedule = "0 3 * * *"\n'
EMAIL = '[channels.x]\nkind = "email"\nto = ["ops@example.com"]\nfrom = "cron@example.com"\n'
SECRET_KEYS = {
    "url": '[channels.x]\nkind = "webhook"\nurl = {}\n',
    "secret": '[channels.x]\nkind = "webhook"\nsecret = {}\nurl = { env = "U" }\n',
    "password": '[channels.x]\nkind = "email"\npassword = {}\nto = ["a@b"]\nfrom = "a@b"\n'
    'server = "a.b:465"\nusername = "u"\n',
}


@pytest.fixture
def channel(write):
    """Load a file with one channel and give it."""

    def load_one(text, **environ):
        (found,) = load(write(text + JOB), environ=environ).channels.values()
        return found

    return load_one


def test_a_webhook_has_an_address_and_a_secret(channel):
    found = channel(
        '[channels.hub]\nkind = "webhook"\nurl = { env = "U" }\nsecret = { env = "S" }\n',
        U="https://example.com/",
        S="s3cret",
    )
    assert (found.kind, found.url.env, found.secret.env) == ("webhook", "U", "S")
    assert found.secret.place == "config.toml:4: channels.hub.secret"


def test_a_webhook_needs_no_secret(channel):
    assert channel('[channels.hub]\nkind = "webhook"\nurl = { env = "U" }\n').secret is None


def test_a_command_is_a_list_with_any_words_in_it(channel):
    found = channel(
        '[channels.x]\nkind = "command"\ncommand = ["/bin/echo", "", "a b\\n$HOME"]\n'
        'timeout = "500ms"\nseverity = ["critical"]\n'
    )
    assert found == Channel(
        name="x",
        kind="command",
        command=("/bin/echo", "", "a b\n$HOME"),
        timeout_s=0.5,
        severity=frozenset({Severity.CRITICAL}),
    )


def test_a_command_has_ten_seconds(channel):
    assert channel('[channels.x]\nkind = "command"\ncommand = ["true"]\n').timeout_s == 10


@pytest.mark.parametrize(
    ("written", "program"),
    [
        pytest.param("bin/page", "{}/bin/page", id="relative"),
        pytest.param("/bin/true", "/bin/true", id="absolute"),
        pytest.param("true", "true", id="in PATH"),
    ],
)
def test_a_program_is_found_from_the_files_folder_or_in_path(channel, tmp_path, written, program):
    found = channel(f'[channels.x]\nkind = "command"\ncommand = ["{written}"]\n')
    assert found.command == (program.format(tmp_path),)


@pytest.mark.parametrize("mode", [None, 0o644, 0o755], ids=["missing", "no program", "program"])
def test_a_program_that_cannot_be_run_is_a_warning(write, tmp_path, mode):
    path = write(f'[channels.x]\nkind = "command"\ncommand = ["./page"]\n{JOB}')
    if mode is not None:
        Path("page").touch()
        Path("page").chmod(mode)
    warnings = [each for each in load(path, environ={}).warnings if "program" in each]
    sentence = f"there is no program {tmp_path}/page that this user may run"
    expected = [] if mode == 0o755 else [f"config.toml:3: channels.x.command: {sentence}"]
    assert warnings == expected


def test_mail_goes_to_a_server(channel):
    found = channel(
        '[channels.x]\nkind = "email"\nto = ["ops@example.com", "root"]\nfrom = "cron@web1"\n'
        'server = "[::1]:2525"\ntls = "starttls"\nusername = "u"\npassword = { env = "P" }\n',
        P="s3cret",
    )
    assert found.mail == Mail(
        to=("ops@example.com", "root"),
        sender="cron@web1",
        server=("::1", 2525),
        tls=Tls.STARTTLS,
        username="u",
        password=found.mail.password,
    )
    assert found.mail.password.env == "P"


def test_mail_without_a_server_goes_through_sendmail(channel):
    assert channel(EMAIL).mail == Mail(to=("ops@example.com",), sender="cron@example.com")


@pytest.mark.parametrize(
    ("server", "tls"),
    [
        ("smtp.example.com:465", Tls.TLS),
        ("smtp.example.com:587", Tls.STARTTLS),
        ("localhost:587", Tls.STARTTLS),
        ("localhost:25", Tls.NONE),
        ("127.0.0.1:1025", Tls.NONE),
        ("[::1]:25", Tls.NONE),
    ],
)
def test_tls_follows_from_the_port(channel, server, tls):
    assert channel(f'{EMAIL}server = "{server}"\n').mail.tls is tls


@pytest.mark.parametrize("tls", Tls)
def test_tls_is_as_written(channel, tls):
    text = f'{EMAIL}server = "smtp.example.com:465"\ntls = "{tls}"\n'
    assert channel(text).mail.tls is tls


def test_an_apprise_url_is_any_url(channel):
    found = channel('[channels.x]\nkind = "apprise"\nurl = { env = "U" }\n', U="ntfy://topic")
    assert (found.kind, found.url.env) == ("apprise", "U")


def test_that_apprise_is_not_installed_is_a_warning_with_the_remedy(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    text = f'[channels.x]\nkind = "apprise"\nurl = {{ env = "U" }}\n{JOB}'
    assert (
        "config.toml:3: channels.x.url: apprise is not installed; "
        "try: pip install 'cronverifyd[apprise]'"
    ) in load(write(text), environ={"U": "ntfy://x"}).warnings


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("slack", ["url: missing: a slack channel needs its webhook's URL"]),
        ("webhook", ["url: missing: a webhook channel needs the URL that takes its messages"]),
        ("command", ["command: missing: a command channel needs the program to run"]),
        (
            "email",
            [
                "to: missing: an email channel needs the addresses to write to",
                "from: missing: an email channel needs the address that it comes from",
            ],
        ),
        ("apprise", ["url: missing: an apprise channel needs its service's Apprise URL"]),
    ],
)
def test_what_a_kind_must_have_is_missed(problems, kind, missing):
    assert problems(f'\n[channels.x]\nkind = "{kind}"\n{JOB}') == [
        f"config.toml:2: channels.x.{each}" for each in missing
    ]


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("slack", 'url = { env = "U" }'),
        ("console", ""),
        ("webhook", 'url = { env = "U" }'),
        ("command", 'command = ["true"]'),
        ("email", 'to = ["a@b"]\nfrom = "a@b"'),
        ("apprise", 'url = { env = "U" }'),
    ],
)
def test_what_belongs_to_another_kind_is_a_problem_on_its_line(problems, kind, needed):
    values = {
        "url": '{ env = "U" }',
        "secret": '{ env = "S" }',
        "command": '["true"]',
        "timeout": '"1s"',
        "to": '["a@b"]',
        "from": '"a@b"',
        "server": '"a.b:465"',
        "tls": '"tls"',
        "username": '"u"',
        "password": '{ env = "P" }',
    }
    own = {
        "webhook": {"secret"},
        "command": {"timeout"},
        "email": {"server", "tls", "username", "password"},
    }
    foreign = [
        key for key in values if f"{key} = " not in needed and key not in own.get(kind, set())
    ]
    lines = "\n".join(f"{key} = {values[key]}" for key in foreign)
    text = f'[channels.x]\nkind = "{kind}"\n{needed}\n{lines}\n{JOB}'
    first = 3 + len(needed.split("\n"))
    who = "an" if kind in {"email", "apprise"} else "a"
    assert problems(text) == [
        f"config.toml:{first + index}: channels.x.{key}: {who} {kind} channel has no {key}"
        for index, key in enumerate(foreign)
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            '[channels.x]\nkind = "command"\ncommand = "page ops"\n',
            '3: channels.x.command: must be a list, such as ["/usr/local/bin/page", "ops"]: '
            "no shell reads it",
            id="command is a text",
        ),
        pytest.param(
            '[channels.x]\nkind = "command"\ncommand = []\n',
            "3: channels.x.command: must not be empty",
            id="command is empty",
        ),
        pytest.param(
            '[channels.x]\nkind = "command"\ncommand = [" ", "x"]\n',
            '3: channels.x.command: must be one line of printable text (got " ")',
            id="no program",
        ),
        pytest.param(
            '[channels.x]\nkind = "command"\ncommand = ["a", "b\\u0000", 3]\n',
            '3: channels.x.command[1]: must be a text in quotes (got "b\\u0000")\n'
            "3: channels.x.command[2]: must be a text in quotes (got 3)",
            id="no arguments",
        ),
        pytest.param(
            '[channels.x]\nkind = "command"\ncommand = ["a"]\ntimeout = "0s"\n',
            '4: channels.x.timeout: must be positive (got "0s")',
            id="no time",
        ),
        pytest.param(
            EMAIL.replace("ops@example.com", "Ops <ops@example.com>"),
            '3: channels.x.to[0]: must be a bare address, such as "ops@example.com" '
            '(got "Ops <ops@example.com>")',
            id="a name",
        ),
        pytest.param(
            EMAIL.replace("ops@example.com", "a@b.c, d@e.f"),
            '3: channels.x.to[0]: must be a bare address, such as "ops@example.com" '
            '(got "a@b.c, d@e.f")',
            id="two in one",
        ),
        pytest.param(
            EMAIL.replace("cron@example.com", "a@b\\nBcc: c@d"),
            '4: channels.x.from: must be one line of printable text (got "a@b\\nBcc: c@d")',
            id="a header",
        ),
        pytest.param(
            EMAIL + 'server = "smtp.example.com"\n',
            '5: channels.x.server: must be "host:port" or "[IPv6]:port" (got "smtp.example.com")',
            id="no port",
        ),
        pytest.param(
            EMAIL + 'server = "smtp.example.com:0"\n',
            '5: channels.x.server: must end with a port from 1 to 65535 (got "smtp.example.com:0")',
            id="port 0",
        ),
        pytest.param(
            EMAIL + 'server = "smtp.example.com:465"\ntls = "ssl"\n',
            '6: channels.x.tls: must be "tls" or "starttls" or "none" (got "ssl")',
            id="ssl",
        ),
        pytest.param(
            EMAIL + 'server = "smtp.example.com:25"\n',
            '1: channels.x.tls: missing: for port 25, say "starttls", "tls" or "none"',
            id="another port",
        ),
        pytest.param(
            EMAIL + 'server = "smtp.example.com:25"\ntls = "none"\nusername = "u"\n'
            'password = { env = "P" }\n',
            '6: channels.x.tls: must not be "none": the password would go over the network '
            "unencrypted",
            id="a password in the open",
        ),
        pytest.param(
            EMAIL + 'server = "smtp.example.com:465"\nusername = "u"\n',
            "6: channels.x.username: needs a password as well",
            id="no password",
        ),
        pytest.param(
            EMAIL + 'server = "smtp.example.com:465"\npassword = { env = "P" }\n',
            "6: channels.x.password: needs a username as well",
            id="no username",
        ),
        pytest.param(
            EMAIL + 'server = "a.b:465"\nusername = "ü"\npassword = { env = "P" }\n',
            '6: channels.x.username: must be ASCII (got "ü")',
            id="a username that smtplib cannot encode",
        ),
        pytest.param(
            EMAIL + 'tls = "tls"\n', "5: channels.x.tls: needs a server as well", id="no server"
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(problems, text, problem):
    expected = [f"config.toml:{line}" for line in problem.split("\n")]
    assert problems(text + JOB) == expected


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_literal_secret_in_an_open_file_is_refused_and_not_shown(problems, key):
    text = SECRET_KEYS[key].replace("{}", '"https://tell-nobody/"') + JOB
    (problem,) = problems(text, 0o644)
    assert problem.startswith(f"config.toml:3: channels.x.{key}: this file holds a secret")
    assert "tell-nobody" not in problem


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_secret_that_is_not_there_is_a_warning(write, key):
    text = SECRET_KEYS[key].replace("{}", '{ env = "NOT_THERE" }') + JOB
    assert (
        f"config.toml:3: channels.x.{key}: secret not found: there is no environment variable "
        "NOT_THERE"
    ) in load(write(text), environ={"U": "https://example.com/"}).warnings


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_configuration_shows_no_secret(write, key):
    text = SECRET_KEYS[key].replace("{}", '"https://tell-nobody/"') + JOB
    config = load(write(text, 0o600), environ={"U": "https://example.com/"})
    assert "tell-nobody" not in repr(config)


def test_a_webhook_that_is_none_is_a_problem_and_not_shown(problems):
    text = f'[channels.x]\nkind = "webhook"\nurl = {{ env = "U" }}\n{JOB}'
    assert problems(text, U="tell-nobody") == [
        "config.toml:3: channels.x.url: must be an http:// or https:// URL (what is there is not)"
    ]


# Whether this host has a sendmail is not ours to say: where it would stand is replaced.
@pytest.mark.parametrize("sendmail", ["/nowhere/sendmail", "/bin/sh"])
def test_that_nothing_would_take_the_mail_is_a_warning(write, monkeypatch, sendmail):
    monkeypatch.setattr("cronverifyd.config.channels._SENDMAIL", sendmail)
    warnings = [each for each in load(write(EMAIL + JOB), environ={}).warnings if "server" in each]
    sentence = f"no server is named, and there is no {sendmail} on this host"
    expected = [] if sendmail == "/bin/sh" else [f"config.toml:1: channels.x: {sentence}"]
    assert warnings == expected
