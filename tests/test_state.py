"""The state folder: held by one process, with no files of another user, and with a secret."""

import os
import subprocess
import sys
import textwrap

import pytest

from cronverifyd.errors import LockedError, StateError
from cronverifyd.state import TRIGGER_SECRET, become_owner, hold, trigger_secret

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def python(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


HOLD = """
    import pathlib, sys
    from cronverifyd.state import hold
    with hold(pathlib.Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
"""


# ---- the lock -----------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_made(tmp_path):
    folder = tmp_path / "var" / "state"
    with hold(folder):
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o007 == 0
        assert (folder / "lock").read_text() == f"{os.getpid()}\n"


def test_a_second_process_is_told_who_holds_it(tmp_path):
    with python(HOLD, tmp_path) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=rf"\(pid {other.pid}\) holds {tmp_path}") as caught:
            hold(tmp_path).__enter__()
        assert caught.value.exit_code == 4
        assert caught.value.remedy.startswith("cronverifyd status shows")
        other.communicate("")
    with hold(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_goes_with_a_process_that_was_killed(tmp_path):
    with python(HOLD, tmp_path) as other:
        other.stdout.readline()
        other.kill()
        other.communicate()
    with hold(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_holder_that_has_not_signed_yet_is_unknown(tmp_path):
    with hold(tmp_path):
        (tmp_path / "lock").write_text("")
        with pytest.raises(LockedError, match="pid unknown"):
            hold(tmp_path).__enter__()


def test_it_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="once"), hold(tmp_path):
        raise ValueError("once")
    with hold(tmp_path):
        pass


@pytest.mark.parametrize("where", ["state", "file/state"])
def test_what_cannot_be_a_state_folder_is_named(tmp_path, where):
    (tmp_path / "file").touch()
    (tmp_path / "state").touch()
    with pytest.raises(StateError, match="cannot be used as state folder") as caught:
        hold(tmp_path / where).__enter__()
    assert caught.value.remedy.startswith(f"ls -ld {tmp_path / where}")


# ---- whose files --------------------------------------------------------------------------------

BECOME = """
    import os, pathlib, sys
    from cronverifyd.errors import StateError
    from cronverifyd.state import become_owner
    folder = pathlib.Path(sys.argv[1])
    try:
        become_owner(folder)
    except StateError as error:
        print(error)
    else:
        print(os.getresuid(), os.getresgid(), os.getgroups())
"""


def becomes(folder):
    with python(BECOME, folder) as other:
        return other.communicate()[0]


@as_root
def test_root_becomes_the_owner_of_the_folder_for_good(tmp_path):
    os.chown(tmp_path, NOBODY, 12345)
    assert becomes(tmp_path) == f"{(NOBODY,) * 3} {(12345,) * 3} [12345]\n"


@as_root
@pytest.mark.parametrize("folder", [".", "not-there"])
def test_root_stays_root_in_its_own_folder_or_where_there_is_none(tmp_path, folder):
    assert becomes(tmp_path / folder).startswith("(0, 0, 0) (0, 0, 0)")


@as_root
def test_another_user_stays_who_they_are(tmp_path):
    for folder in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        folder.chmod(0o755)
    os.chown(tmp_path, 12345, 12345)
    first = f"import os, pathlib, sys, cronverifyd.state\nos.setuid({NOBODY})\n"
    with python(first + textwrap.dedent(BECOME), tmp_path) as other:
        assert other.communicate()[0].startswith(str((NOBODY,) * 3))


@as_root
def test_root_that_may_not_become_anybody_refuses(tmp_path):
    os.chown(tmp_path, NOBODY, NOBODY)
    # PR_CAPBSET_DROP of CAP_SETUID and CAP_SETGID, then a new program: root without these two.
    program = f"""
        import ctypes, os, sys
        libc = ctypes.CDLL(None)
        for capability in (6, 7):
            assert libc.prctl(24, capability, 0, 0, 0) == 0
        os.execv(sys.executable, [sys.executable, "-c", {textwrap.dedent(BECOME)!r}, sys.argv[1]])
    """
    with python(program, tmp_path) as other:
        assert other.communicate()[0] == (
            f"{tmp_path} belongs to uid {NOBODY}, and root cannot become that user\n"
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="about those who are not root")
def test_who_is_not_root_stays_who_they_are(tmp_path):
    become_owner(tmp_path)
    assert os.geteuid() != 0


# ---- the trigger's secret -----------------------------------------------------------------------


def test_a_secret_is_made_once_and_is_its_owner_s_alone(tmp_path):
    secret, made = trigger_secret(tmp_path)
    assert made
    assert len(bytes.fromhex(secret)) == 32
    assert (tmp_path / TRIGGER_SECRET).stat().st_mode & 0o777 == 0o600
    assert trigger_secret(tmp_path) == (secret, False)
    assert [path.name for path in tmp_path.iterdir()] == [TRIGGER_SECRET]


def test_two_installations_have_two_secrets(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert trigger_secret(tmp_path / "a")[0] != trigger_secret(tmp_path / "b")[0]


@pytest.mark.parametrize("empty", ["", "\n", "  \n"])
def test_an_empty_secret_is_none(tmp_path, empty):
    (tmp_path / TRIGGER_SECRET).write_text(empty)
    secret, made = trigger_secret(tmp_path)
    assert made
    assert secret


def test_what_a_crash_left_half_made_is_made_anew(tmp_path):
    half = tmp_path / "trigger.new"
    half.write_text("half")
    half.chmod(0o666)
    secret, made = trigger_secret(tmp_path)
    assert made
    assert secret != "half"
    assert not half.exists()
    assert (tmp_path / TRIGGER_SECRET).stat().st_mode & 0o777 == 0o600
