"""No proxy of this machine stands between a test and its loopback server."""

import pytest

from tests.web.board import Board


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)
