"""Build the script `cronverify-wrap` out of cronverifyd/wrap.py.

Python keeps the bytecode of what it imports, but not of what it runs, and to compile the wrapper
takes as long as to start Python. So the script holds the wrapper's source as a literal, which costs
nothing to read, and runs it as if it were imported: from `__pycache__` beside it, where that is
current or can be written, else by compiling it. It stays one file that runs wherever it is copied.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SCRIPT = """\
#!/usr/bin/python3 -IS
# Made from cronverifyd/wrap.py, which is all of SOURCE: read that. The lines after it run it from
# its cached bytecode, which only root or the owner of this file may have written.
import _frozen_importlib_external as external
import posix

SOURCE = rb'''{source}'''


class Loader(external.SourceFileLoader):
    def path_stats(self, path):
        return {{"mtime": posix.stat(path).st_mtime, "size": len(SOURCE)}}

    def get_data(self, path):
        if path == self.path:
            return SOURCE
        with external._io.FileIO(path) as file:
            if posix.fstat(file.fileno()).st_uid not in (0, posix.stat(self.path).st_uid):
                raise OSError("not ours")
            return file.read()


try:
    code = Loader("__main__", __file__).get_code("__main__")
except Exception:  # bytecode that a full disk or a power cut has spoilt must not stop a job
    code = compile(SOURCE, __file__, "exec")
exec(code)
"""


def script_of(source: str) -> str:
    """Put the wrapper's source into the script. Raises ValueError if it would not survive that."""
    if "'''" in source or not source.isascii():
        message = "wrap.py must be ASCII and hold no three single quotes in a row"
        raise ValueError(message)
    return _SCRIPT.format(source=source)


class WrapperHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the script to what the wheel puts into the environment's bin."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the script and name it to the builder; editable installs get it too."""
        source = Path(self.root, "cronverifyd", "wrap.py").read_text(encoding="ascii")
        script = Path(self.root, "build", "cronverify-wrap")
        script.parent.mkdir(exist_ok=True)
        script.write_text(script_of(source), encoding="ascii")
        script.chmod(0o755)
        # As data and not among the scripts: there the shebang would be changed to the environment's
        # own Python.
        build_data["shared_data"][str(script)] = "bin/cronverify-wrap"
