"""Tells whether a process of this machine has ended, so that no command waits for the end of its lease.

Theory:

1. Identity. A process id means a process only within its PID namespace, and only until it is given to another one. So the
   identity adds the boot of the machine, the namespace, and the time when the process began (proc(5)).
2. Proof. A process has ended if no process of its namespace has its id (kill(2): ESRCH, which does not depend on any right),
   or if one that began at another time has it, or if it is a zombie without threads. Its sockets are closed then. All
   else proves nothing: another machine, another namespace, a system without /proc, a suspended process.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_STATE, _BEGAN = 0, 19
"""Fields of /proc/PID/stat after the name of the program, which may hold blanks."""


def identity() -> str:
    """Return the identity of this process; blank on a system that does not tell it."""
    with suppress(OSError, IndexError):
        return f"{_machine()} {os.getpid()} {_stat(os.getpid())[_BEGAN]}"
    return ""


def has_ended(process: str) -> bool:
    """Return True if the process of an identity has provably ended."""
    place, _, rest = process.partition(" ")
    with suppress(OSError, IndexError, ValueError):
        if place and place == _machine():
            number, began = map(int, rest.split())
            return _is_gone(number) or _is_other(number, began)
    return False


def _machine() -> str:
    """Return the boot of the machine and the PID namespace of this process."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{(_PROC / 'self/ns/pid').stat().st_ino}"


def _is_gone(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _is_other(number: int, began: int) -> bool:
    """Return True if an existing process is not the one that began then, or is a zombie whose threads have ended."""
    stat = _stat(number)
    is_zombie = stat[_STATE] == "Z" and len(list((_PROC / str(number) / "task").iterdir())) == 1
    return int(stat[_BEGAN]) != began or is_zombie


def _stat(number: int) -> list[str]:
    return (_PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
