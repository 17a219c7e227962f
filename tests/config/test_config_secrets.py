"""Secrets in a configuration file: where they may stand, and that no error shows them."""

import traceback
from pathlib import Path

import pytest

from cronverifyd.config.load import load
from cronverifyd.errors import ConfigError

JOB = '[jobs.a]\nschedule = "0 3 * * *"\n'
URL = "https://hooks.slack.com/services/T0/B0/tell-nobody"

SECRETS = {
    "channels.ops.url": '[channels.ops]\nkind = "slack"\nurl = {}\n',
    "cueapi.shared_secret": "[cueapi]\n\nshared_secret = {}\n",
    "cueapi.api_key": "[cueapi]\n\napi_key = {}\n",
    "cueapi.signing_secrets[0]": "[cueapi]\n\nsigning_secrets = [{}]\n",
}


def with_secret(key, value):
    return SECRETS[key].replace("{}", value) + JOB


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("mode", [0o644, 0o660], ids=oct)
def test_a_literal_secret_in_a_file_that_is_open_to_others_is_refused(problems, key, mode):
    text = with_secret(key, f'"{URL}"')
    assert problems(text, mode) == [
        (
            f"config.toml:3: {key}: this file holds a secret, and its mode {mode:04o} is too open; "
            "try: chmod 0640 config.toml"
        )
    ]


@pytest.mark.parametrize("key", SECRETS)
def test_a_literal_secret_in_a_private_file_is_taken_and_never_shown(write, key):
    config = load(write(with_secret(key, f'"{URL}"'), 0o640), environ={})
    assert not [warning for warning in config.warnings if "secret" in warning]
    assert "tell-nobody" not in repr(config)


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_that_is_not_there_is_a_warning_with_its_place(write, key):
    config = load(write(with_secret(key, '{ env = "NOT_THERE" }')), environ={})
    assert (
        f"config.toml:3: {key}: secret not found: there is no environment variable NOT_THERE"
    ) in config.warnings


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("value", ['""', '" "', '{ env = "EMPTY" }'])
def test_an_empty_secret_is_a_problem(problems, key, value):
    text = with_secret(key, value)
    assert problems(text, 0o600, EMPTY="") == [f"config.toml:3: {key}: empty secret"]


@pytest.mark.parametrize(
    ("value", "inner", "sentence"),
    [
        ("3", "", 'must be a text or a table such as { env = "NAME" }'),
        ("{}", "", 'must be a text or a table such as { env = "NAME" }'),
        ('{ enf = "X" }', ".enf", 'unknown key (did you mean "env"?)'),
        ('{ env = "" }', ".env", "must be one line of printable text"),
        ("{ file = 7 }", ".file", "must be one line of printable text"),
        (f'{{ env = "{URL}" }}', ".env", "must be the name of an environment variable"),
        (
            '{ credential = "../x" }',
            ".credential",
            "must be the name of a credential, without slashes",
        ),
    ],
)
@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_that_is_named_wrongly_is_a_problem(problems, key, value, inner, sentence):
    text = with_secret(key, value)
    assert problems(text, 0o600) == [f"config.toml:3: {key}{inner}: {sentence}"]


def test_a_secret_file_that_is_open_to_others_is_a_problem_with_the_remedy(problems, tmp_path):
    text = with_secret("channels.ops.url", '{ file = "hook" }')
    Path("hook").write_text(URL, encoding="utf-8")
    Path("hook").chmod(0o644)
    assert problems(text) == [
        (
            f"config.toml:3: channels.ops.url: {tmp_path}/hook holds a secret, and its mode 0644 "
            f"is too open; try: chmod 0640 {tmp_path}/hook"
        )
    ]


def test_a_secret_that_this_user_cannot_read_is_a_warning(write, tmp_path):
    path = write(with_secret("channels.ops.url", '{ file = "hook" }'))
    Path("hook").mkdir()
    (warning,) = load(path, environ={}).warnings
    assert warning == (
        f"config.toml:3: channels.ops.url: {tmp_path}/hook cannot be read: Is a directory"
    )


@pytest.mark.parametrize("given", ["literal", "variable"])
def test_a_slack_url_that_is_none_is_a_problem_and_not_shown(problems, given):
    value = '"tell-nobody"' if given == "literal" else '{ env = "HOOK" }'
    text = with_secret("channels.ops.url", value)
    assert problems(text, 0o600, HOOK="tell-nobody") == [
        "config.toml:3: channels.ops.url: must be an http:// or https:// URL (what is there is not)"
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(with_secret("channels.ops.url", f'"{URL}"'), id="a literal"),
        pytest.param(f'[cueapi]\nsigning_secrets = "{URL}"', id="a text where a list belongs"),
        pytest.param(f'[cueapi]\nshared_secret = ["{URL}"]', id="a list where a text belongs"),
        pytest.param(f'[cueapi]\nshared_secret = {{ env = "{URL}" }}', id="a value for a name"),
        pytest.param(f'[cueapi]\nshared_secrets = "{URL}"', id="under an unknown key"),
        pytest.param(f'[cueapi]\napi_key = ["{URL}"]', id="a list where a key belongs"),
        pytest.param(f'[channels.x]\nkind = "console"\nurl = "{URL}"', id="where none belongs"),
        pytest.param(f'[channels]\nx = "{URL}"', id="in place of a table"),
        pytest.param(f'[cueapi]\nshared_secret = "{URL}', id="in a text without end"),
    ],
)
def test_no_error_shows_a_secret_wherever_it_was_written(write, text):
    with pytest.raises(ConfigError) as caught:
        load(write(text), environ={})
    assert "tell-nobody" not in "".join(traceback.format_exception(caught.value))
