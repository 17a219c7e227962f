"""Configuration files in a folder of their own."""

from pathlib import Path

import pytest

from cronverifyd.config.load import load
from cronverifyd.errors import ConfigError


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write config.toml into the current folder, so that errors name it by that name alone."""
    monkeypatch.chdir(tmp_path)

    def write_config(text, mode=0o644):
        path = Path("config.toml")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    return write_config


@pytest.fixture
def problems(write):
    """Write config.toml, load it and give the lines of its error."""

    def load_and_fail(text, mode=0o644, **environ):
        with pytest.raises(ConfigError) as caught:
            load(write(text, mode), environ=environ)
        return str(caught.value).splitlines()

    return load_and_fail
