"""A world of one job, due at 03:00, that stood in the configuration since midnight."""

import pytest

from tests.engine.world import World


@pytest.fixture
def make(tmp_path):
    worlds = []

    def build(*jobs, **options):
        worlds.append(World(tmp_path, *jobs, **options))
        return worlds[-1]

    yield build
    for world in worlds:
        world.close()


@pytest.fixture
def world(make):
    return make()
