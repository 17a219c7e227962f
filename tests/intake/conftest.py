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
