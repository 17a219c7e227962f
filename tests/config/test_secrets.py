"""Where a secret comes from, and that it goes nowhere else."""

import traceback

import pytest

from cronverifyd.config.secrets import UnreadableSecretError, find, resolve
from cronverifyd.errors import ConfigError
from cronverifyd.model import Secret

PLACE = "config.toml:7: channels.ops.url"
VALUE = "whsec_tell-nobody"


def secret(**sources):
    return Secret(place=PLACE, **sources)


def secret_file(folder, content, mode=0o600, name="hook"):
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_credential_comes_before_the_variable_and_the_variable_before_the_file(tmp_path):
    secret_file(tmp_path, b"from credential", name="hook")
    file = secret_file(tmp_path, b"from file", name="file")
    named = secret(credential="hook", env="HOOK", file=str(file))
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "HOOK": "from variable"}

    assert find(named, environ) == "from credential"
    assert find(named, {"HOOK": "from variable"}) == "from variable"
    assert find(named, {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}) == "from file"


def test_a_literal_is_the_secret():
    assert find(secret(literal=VALUE), {}) == VALUE


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_line_break_at_the_end_of_a_file_is_not_part_of_the_secret(tmp_path, ending):
    file = secret_file(tmp_path, b" two words" + ending)
    assert find(secret(file=str(file)), {}) == " two words"


def test_a_secret_that_nobody_provides_is_none_to_find_and_an_error_to_resolve(tmp_path):
    named = secret(credential="hook", env="HOOK", file=str(tmp_path / "none"))
    assert find(named, {}) is None

    with pytest.raises(ConfigError) as caught:
        resolve(named, {})
    assert str(caught.value) == (
        f"{PLACE}: secret not found: there is no credential hook and no environment variable HOOK "
        f"and no file {tmp_path}/none"
    )
    assert caught.value.remedy


def test_resolve_gives_what_find_finds():
    assert resolve(secret(env="HOOK"), {"HOOK": VALUE}) == VALUE


@pytest.mark.parametrize("source", ["credential", "env", "file", "literal"])
@pytest.mark.parametrize("empty", ["", "\n", "  "], ids=["nothing", "a line break", "blanks"])
def test_an_empty_secret_is_never_accepted_wherever_it_comes_from(tmp_path, source, empty):
    file = secret_file(tmp_path, empty.encode())
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "HOOK": empty}
    names = {"credential": "hook", "env": "HOOK", "file": str(file), "literal": empty}
    named = secret(**{source: names[source]})

    for look in (find, resolve):
        with pytest.raises(ConfigError, match=f"^{PLACE}: empty secret$"):
            look(named, environ)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o777], ids=oct)
def test_a_file_that_is_open_to_others_is_refused_with_the_remedy(tmp_path, mode):
    file = secret_file(tmp_path, VALUE.encode(), mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o} is too open") as caught:
        find(secret(file=str(file)), {})
    assert caught.value.remedy == f"chmod 0640 {file}"
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640], ids=oct)
def test_a_file_of_the_owner_and_the_group_is_taken(tmp_path, mode):
    assert find(secret(file=str(secret_file(tmp_path, VALUE.encode(), mode))), {}) == VALUE


def test_a_secret_that_cannot_be_read_is_told_with_its_path(tmp_path):
    with pytest.raises(UnreadableSecretError, match=f"^{PLACE}: {tmp_path} cannot be read: Is a"):
        find(secret(file=str(tmp_path)), {})


def test_bytes_that_are_no_text_are_refused_and_stand_in_no_traceback(tmp_path):
    file = secret_file(tmp_path, VALUE.encode() + b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text") as caught:
        find(secret(file=str(file)), {})
    shown = "".join(traceback.format_exception(caught.value))
    assert "tell-nobody" not in shown
    assert "0xff" not in shown


def test_a_secret_shows_where_it_comes_from_and_not_what_it_is():
    named = secret(literal=VALUE, env="HOOK")
    assert "HOOK" in repr(named)
    assert VALUE not in repr(named)
