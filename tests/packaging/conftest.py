import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments, **given):
    """Run a program to its end; its output is kept as text."""
    words = [str(argument) for argument in arguments]
    given = {"capture_output": True, "encoding": "utf-8", "timeout": 300} | given
    return subprocess.run(words, stdin=subprocess.DEVNULL, check=False, **given)


def needs(program):
    """Give the path of a program; skip loudly where it is absent."""
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        pytest.skip(f"NOT TESTED: {program} is not there")
    return found
