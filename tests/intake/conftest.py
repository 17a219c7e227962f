import tempfile
from pathlib import Path

import pytest

from tests.intake.reading import Reading


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outcomes.jsonl"


@pytest.fixture
def reading(path):
    found = Reading(path)
    yield found
    found.stop()


@pytest.fixture
def common():
    """A folder that everybody can come to, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)
