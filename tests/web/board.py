"""The status listener's application over a state that was verified for real."""

from cronverifyd.config.load import load
from cronverifyd.web.status import create_app
from tests.builders import at, finished, started
from tests.cli.place import Place

YESTERDAY = "2024-05-14T12:00:00+00:00"


class Board:
    """A place and its application; the clock stands at `now` until a test sets it."""

    def __init__(self, folder, *jobs, **given):
        self.place = Place(folder, *jobs, **given)
        self.now = "12:00"
        self.turns = True
        self.reasons = []
        self.reload()

    def reload(self):
        """Serve what the configuration says now."""
        self.scope = load(self.place.config).scope()
        self.app = create_app(
            self.scope,
            lambda: at(self.now),
            lambda: self.turns,
            lambda *_: self.reasons,
        )
        self.client = self.app.test_client()

    def look(self, when, *lines, **given):
        self.place.look(when, *lines, **given)

    def get(self, path, status=200, **headers):
        response = self.client.get(path, headers=headers)
        assert response.status_code == status, response.text
        return response


def failing(board, **keys):
    """Let the job of the default configuration fail this morning."""
    board.look(YESTERDAY)
    board.look("03:11", started("03:00"), finished("03:10", "failed", exit_code=3, **keys))


def good(board, **keys):
    """Let it succeed this morning."""
    board.look(YESTERDAY)
    board.look("03:11", started("03:00"), finished("03:10", duration_s=600.5, **keys))
