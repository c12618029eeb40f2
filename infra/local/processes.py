"""Starting and stopping the processes of a local run, so that none outlives it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

CHILD = Path(__file__).with_name("child.py")
ROOT = Path(__file__).resolve().parents[2]


def start(
    command: list[str],
    *,
    env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in the repository's root, to be stopped by SIGTERM when this thread ends (child.py).

    It gets a session of its own: Ctrl-C in the terminal then reaches the starter alone, which stops its
    children in the right order (the host before the storage it writes to).
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), *command],
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Ask `process` to stop; after `seconds` make it (only then: a kill loses what it has not written)."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
