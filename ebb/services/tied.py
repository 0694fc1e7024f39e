"""Run a command that the kernel kills when its parent dies, even when the parent is killed itself.

A script of its own, run as `python -I -S tied.py PARENT_PID COMMAND…`: a test run stopped by SIGKILL must not leave a
broker behind, and no code of the parent runs then. The wish survives the exec. Linux only; elsewhere the command
just runs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, see that the parent has not died meanwhile, become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent ended before its service began")
    os.execvp(command[0], command)  # noqa: S606 - the command comes from ebb.services, as a list


if __name__ == "__main__":
    main()
