"""The installed script: one file, which runs from cached bytecode that it can trust."""

import importlib.util
import os
import shutil
import sys
from importlib._bootstrap_external import _code_to_timestamp_pyc
from pathlib import Path

import pytest

from .conftest import ENVIRONMENT, NOBODY, WRAP, Wrapper, bare, run

AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
EVIL = "import posix; posix.write(1, b'evil'); posix._exit(66)"


@pytest.fixture(scope="session")
def script_of():
    """Return the function of the repository's hatch_build.py that makes the script."""
    spec = importlib.util.spec_from_file_location("hatch_build", WRAP.parents[1] / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.script_of


@pytest.fixture
def script(script_of, open_folder):
    """Return the script, alone in a folder that others can read; it starts by its own shebang."""
    if not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("NOT TESTED: /usr/bin/python3, which the script names, is not there")
    file = open_folder / "bin" / "cronverify-wrap"
    file.parent.mkdir()
    file.write_text(script_of(WRAP.read_text()))
    file.chmod(0o755)
    return file


@pytest.fixture
def installed(script, open_folder):
    outcomes = open_folder / "outcomes.jsonl"
    outcomes.touch()
    return Wrapper([str(script)], outcomes)


def cache_of(script):
    """Return the files in __pycache__ beside it."""
    return sorted((script.parent / "__pycache__").glob("*"))


def test_the_first_line_is_the_shebang_and_nothing_else(script):
    assert script.read_bytes().split(b"\n")[0] == b"#!/usr/bin/python3 -IS"


def test_spoilt_bytecode_does_not_stop_a_job(installed, script):
    """A full disk or a power cut may have cut it short."""
    assert installed.run("true").returncode == 0
    (cache,) = cache_of(script)
    cache.write_bytes(cache.read_bytes()[:5000])

    assert installed.run("sh", "-c", "exit 7").returncode == 7


def test_the_source_is_in_it_unchanged(script):
    assert WRAP.read_text() in script.read_text()


@pytest.mark.parametrize(
    "source", [pytest.param("a = '''b'''", id="quotes"), pytest.param("# caf\u00e9", id="no ASCII")]
)
def test_a_source_that_would_not_survive_is_refused(script_of, source):
    with pytest.raises(ValueError, match="ASCII"):
        script_of(source)


def test_a_source_with_braces_and_backslashes_survives(script_of, tmp_path):
    file = tmp_path / "script"
    file.write_text(script_of(r"""print({"a": "{}\n{{"}, r"\d", "\x41", '"')"""))
    assert run([sys.executable, "-I", "-S", str(file)]).stdout == (
        b"""{'a': '{}\\n{{'} \\d A "\n"""
    )


def test_copied_alone_anywhere_it_runs_and_records(installed, script):
    assert [path.name for path in script.parent.iterdir()] == ["cronverify-wrap"]
    done = installed.run("sh", "-c", "cat; echo err >&2; exit 6", input=b"in\n")
    assert (done.returncode, done.stdout, done.stderr) == (6, b"in\n", b"err\n")
    assert installed.finish()["exit_code"] == 6


def test_it_says_its_usage_as_the_source_does(script, program):
    assert run([str(script)]).returncode == 2
    assert run([str(script), "--help"]).stdout == run([*program, "--help"]).stdout != b""


@pytest.mark.parametrize("how", ["shebang", "by python", "link", "PATH", "relative"])
def test_however_it_is_called_it_finds_its_cache(script, python, open_folder, how):
    (open_folder / "link").symlink_to(script)
    words, env, cwd = {
        "shebang": ([str(script)], ENVIRONMENT, None),
        "by python": ([python, "-I", "-S", str(script)], ENVIRONMENT, None),
        "link": ([str(open_folder / "link")], ENVIRONMENT, None),
        "PATH": (["cronverify-wrap"], {"PATH": f"{script.parent}:/usr/bin:/bin"}, None),
        "relative": (["./cronverify-wrap"], ENVIRONMENT, script.parent),
    }[how]
    argv = ["/bin/sh", "-c", '"$@"', "sh", *words, "--help"]
    assert run(argv, env=env, cwd=cwd).returncode == 0
    assert len([*open_folder.rglob("*.pyc")]) == 1


def test_the_cache_is_made_once_and_used(installed, script):
    assert installed.run("true").returncode == 0
    (made,) = cache_of(script)
    before = made.stat()
    assert installed.run("true").returncode == 0
    (used,) = cache_of(script)
    assert (used.stat().st_mtime_ns, used.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    plant(script, EVIL)
    assert run([str(script), "--help"]).stdout == b"evil"  # so it is that which runs


def plant(script, source, mtime=None):
    """Put other bytecode, as if it were current, into the place of the script's."""
    (cache,) = cache_of(script)
    size = len(WRAP.read_bytes())
    code = compile(source, str(script), "exec")
    taken = int(script.stat().st_mtime) if mtime is None else mtime
    magic = cache.read_bytes()[:4]
    data = bytes(_code_to_timestamp_pyc(code, taken, size))
    cache.write_bytes(magic + data[4:])
    return cache


@pytest.fixture
def same_bytecode(script):
    """Skip where this interpreter's bytecode is not that of the script's."""
    theirs = bare("/usr/bin/python3", "-c", "import _imp, sys; print(sys.version_info[:2])").stdout
    if theirs != f"{sys.version_info[:2]}\n".encode():
        pytest.skip("NOT TESTED: /usr/bin/python3 is of another version than this interpreter")


def test_bytecode_that_another_user_owns_is_not_run(script, root, same_bytecode):
    assert run([str(script), "--help"]).returncode == 0
    cache = plant(script, EVIL)
    assert run([str(script), "--help"]).stdout == b"evil"
    os.chown(cache, NOBODY, NOBODY)
    done = run([str(script), "--help"])
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Run a cron job")


def test_bytecode_of_the_owner_of_the_script_is_run(script, root, same_bytecode):
    assert run([str(script), "--help"]).returncode == 0
    cache = plant(script, EVIL)
    os.chown(cache, NOBODY, NOBODY)
    os.chown(script, NOBODY, NOBODY)
    assert run([str(script), "--help"]).stdout == b"evil"


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"x" * 16, b"\xa7\r\r\n" + b"\0" * 12],
    ids=["empty", "short", "x", "zeros"],
)
def test_a_broken_cache_is_as_none(script, content):
    assert run([str(script), "--help"]).returncode == 0
    (cache,) = cache_of(script)
    cache.write_bytes(content)
    done = run([str(script), "--help"])
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("make", ["folder", "file"])
def test_where_the_cache_cannot_be_it_runs_without(script, make):
    place = script.parent / "__pycache__"
    if make == "file":
        place.touch()
    else:
        name = importlib.util.cache_from_source("cronverify-wrap", optimization="")
        (place / Path(name).name).mkdir(parents=True)
    done = run([str(script), "--help"])
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Run a cron job")


def test_after_a_change_of_the_script_the_new_one_runs(script, script_of):
    assert run([str(script), "--help"]).stdout.startswith(b"Run a cron job")
    changed = WRAP.read_text().replace('"""Run a cron job', '"""Run some cron job', 1)
    new = script.with_name("new")
    new.write_text(script_of(changed))
    new.chmod(0o755)
    os.utime(new, (script.stat().st_atime, script.stat().st_mtime))  # its size tells, then
    new.rename(script)
    assert run([str(script), "--help"]).stdout.startswith(b"Run some cron job")
    (cache,) = cache_of(script)
    assert b"Run some cron job" in cache.read_bytes()


def test_after_a_change_of_the_same_length_the_time_tells(script, script_of):
    assert run([str(script), "--help"]).stdout.startswith(b"Run a cron job")
    script.write_text(script_of(WRAP.read_text().replace('"""Run a', '"""Rub a', 1)))
    os.utime(script, (1, 1_000_000_000))
    assert run([str(script), "--help"]).stdout.startswith(b"Rub a cron job")


def test_in_a_folder_that_may_only_be_read_it_runs_without_a_cache(installed, script, root):
    os.chown(installed.outcomes, NOBODY, NOBODY)
    done = installed.run("sh", "-c", "exit 6", **AS_NOBODY)
    assert (done.returncode, done.stderr) == (6, b"")
    assert installed.finish()["uid"] == NOBODY
    assert cache_of(script) == []


def test_on_a_file_system_that_is_mounted_read_only_it_runs(script, private_mounts):
    mount = (
        'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; exec "$1/cronverify-wrap" --help'
    )
    done = run([*private_mounts, "sh", "-ec", mount, "sh", str(script.parent)])
    assert (done.returncode, done.stderr) == (0, b"")
    assert cache_of(script) == []


def test_a_user_runs_from_the_cache_that_root_has_made(script, root, same_bytecode):
    assert run([str(script), "--help"]).returncode == 0
    plant(script, EVIL)
    assert run([str(script), "--help"], **AS_NOBODY).stdout == b"evil"


def test_many_that_start_at_once_without_a_cache_all_run(installed, script):
    shutil.rmtree(script.parent / "__pycache__", ignore_errors=True)
    running = [installed.start("sh", "-c", f"exit {code}") for code in range(20)]
    for code, process in enumerate(running):
        with process:
            assert process.wait(timeout=20) == code
    assert len(installed.lines()) == 40
    assert len(cache_of(script)) == 1
