"""A healthy installation, and a shell to paste remedies into."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.doctor.place import Place


@pytest.fixture
def installed():
    """Make an installation below folders that every user may pass through."""
    before = os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="cronverifyd-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Place(folder)
    os.umask(before)


@pytest.fixture
def paste():
    """Run a remedy in a shell, as an operator does."""

    def run(remedy):
        subprocess.run(["/bin/sh", "-ec", remedy], check=True, timeout=10)

    return run


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
