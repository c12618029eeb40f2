"""Become a command that is told to stop when its parent dies: `python child.py <parent's pid> <command> ...`.

`make run` may be SIGKILLed; what it started must not live on. Linux tells a process about its parent's death
when it asked for it (prctl(2), PR_SET_PDEATHSIG), and the request survives the exec below. SIGTERM, not
SIGKILL: Azurite writes its tables on SIGTERM and loses acknowledged rows without. The signal follows the
*thread* that started us, so start children from a thread that lives as long as they shall.

Run as a file with `python -I -S` (no site-packages: it starts in 15 ms), not as a preexec_fn, which is unsafe
in a process that has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    """Ask for the signal, make sure the parent is still there, become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
