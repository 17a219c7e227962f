"""A store in a folder of its own."""

import pytest

from cronverifyd.store.sqlite import Store


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()
