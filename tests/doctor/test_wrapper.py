"""The wrapper: the built one, and copies of it that are broken."""

import pytest

from cronverifyd.doctor.checks.wrapper import check
from cronverifyd.doctor.facts import Wrapper
from cronverifyd.doctor.finding import Level
from cronverifyd.doctor.look import wrapper
from cronverifyd.host.rehearsal import find_wrapper
from tests.doctor.place import the_one, worst


@pytest.fixture
def built(tmp_path):
    """Copy the installed wrapper; a test may break the copy."""
    path = tmp_path / "cronverify-wrap"
    path.write_bytes(find_wrapper().read_bytes())
    path.chmod(0o755)
    return path


def said_of(path):
    return list(check(wrapper.look(path)))


def test_the_installed_one_is_good():
    assert worst(said_of(None)) is Level.OK


def test_one_of_another_version_is_a_warning(built):
    built.write_bytes(built.read_bytes().replace(b"def ", b"def  ", 1))
    assert "of another version" in the_one(said_of(built), Level.WARNING).text


@pytest.mark.parametrize(
    "first", [b"#!/opt/none/bin/python3 -IS", b"import sys"], ids=["gone", "no shebang"]
)
def test_one_without_its_interpreter_is_bad(built, first):
    built.write_bytes(first + b"\n" + built.read_bytes().partition(b"\n")[2])
    fault = the_one(said_of(built), Level.BAD)
    assert "cannot be started" in fault.text


def test_one_that_may_not_be_started_is_bad(built):
    built.chmod(0o644)
    assert "cannot be started" in the_one(said_of(built), Level.BAD).text


def test_without_one_nothing_is_recorded():
    assert "not installed" in the_one(list(check(Wrapper(path=None, python=True))), Level.BAD).text


def test_without_the_systems_python_it_is_bad():
    said = the_one(list(check(Wrapper(path=None, python=False)))[:1], Level.BAD)
    assert "/usr/bin/python3" in said.text
