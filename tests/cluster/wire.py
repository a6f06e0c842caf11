"""A program that carries packets between two networks as a bad line does: late, out of order, some of them never.

python wire.py NUMBER DELAY JITTER LOSS

It runs in a network of its own, in which workers are; the network that started it has the database. Between them are two tun
devices, whose packets pass through this program: the kernel of many a machine has no netem. The API stands beside the
workers, over a line without delay. It says "ready", then takes "cut" and "mend" a line.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import sys
import time

DATABASE = "10.79.0.1"
API = "10.79.0.2"
"""Addresses of the network that started this."""
CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_LARGEST = 65_536
_INPUT = 0


def main(number: int, delay: float, jitter: float, loss: float) -> None:
    """Make the network and its lines, then carry until the input ends."""
    home = os.getppid()
    there = _tun(f"line{number}")
    _ip(f"addr add 10.79.{number}.1 peer 10.79.{number}.2 dev line{number}", f"link set line{number} up")
    enter_new_network()
    here = _tun("line")
    _ip(
        f"addr add 10.79.{number}.2 peer 10.79.{number}.1 dev line",
        "link set line up",
        f"route add {DATABASE} dev line",
        f"link add api type veth peer name api{number} netns {home}",
        f"addr add 10.80.{number}.2/30 dev api",
        "link set api up",
        f"route add {API} dev api",
    )
    print("ready", flush=True)
    _carry(here, there, delay, jitter, loss)


def enter_new_network() -> None:
    """Leave for a network that has nothing in it yet but itself.

    Raises:
        OSError: this is not allowed here.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no network of its own is allowed here")
    _ip("link set lo up")


def _carry(here: int, there: int, delay: float, jitter: float, loss: float) -> None:
    other = {here: there, there: here}
    under_way: list[tuple[float, int, int, bytes]] = []
    order = itertools.count()
    is_cut = False
    while True:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, to, packet = heapq.heappop(under_way)
            os.write(to, packet)
        patience = under_way[0][0] - now if under_way else None
        for ready in select.select([_INPUT, here, there], [], [], patience)[0]:
            if ready == _INPUT:
                told = os.read(_INPUT, _LARGEST).split()
                if not told:
                    return
                is_cut = told[-1] == b"cut"
                if is_cut:
                    under_way.clear()
                continue
            packet = os.read(ready, _LARGEST)
            if not is_cut and random.random() >= loss:
                due = time.monotonic() + random.uniform(delay - jitter, delay + jitter)
                heapq.heappush(under_way, (due, next(order), other[ready], packet))


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    return device


def _ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(int(sys.argv[1]), *map(float, sys.argv[2:]))
