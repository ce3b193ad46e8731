"""A process that reads archived messages: questions come in on standard input, answers go out on standard output.

It is started as `python -m listserver.flows.unpacking` and not by `multiprocessing`, which would run the program that
started us once more in each process. It ends when its standard input does, so it never outlives who asked.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Question = tuple[Callable[..., Any], tuple[Any, ...]]


class ProcessDied(Exception):
    """The process ended while it had a question."""


class OtherProcess:
    """One such process, used by one thread at a time."""

    def __init__(self) -> None:
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(  # noqa: S603 - our own module, run by our own interpreter
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have a function called over there and return its result. Raises: ProcessDied."""
        into, out_of = self._process.stdin, self._process.stdout
        if into is None or out_of is None:
            raise ProcessDied("it has no pipes")
        try:
            pickle.dump((function, arguments), into, protocol=pickle.HIGHEST_PROTOCOL)
            into.flush()
            return pickle.load(out_of)  # noqa: S301 - from our own process
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self.close()
            raise ProcessDied(f"it ended with status {self._process.returncode}") from error

    def close(self) -> None:
        """Let it end."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # it died with a question in the pipe
        self._process.wait()


def answer() -> None:
    """Answer questions until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that asks
    into, out_of = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    while True:
        try:
            function, arguments = pickle.load(into)  # noqa: S301 - from the process that started this one
            pickle.dump(function(*arguments), out_of, protocol=pickle.HIGHEST_PROTOCOL)
            out_of.flush()
        except (EOFError, BrokenPipeError):
            os._exit(0)  # who asked is gone; nothing is to be written any more


if __name__ == "__main__":
    answer()
