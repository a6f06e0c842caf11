"""Measure the CPU time of imports in fresh processes, and the time until a client is ready to send.

    python benchmarks/bench_import.py [--rounds 9] [--json FILE]

The processes of a round run one after the other, so that other load affects all rows. The minimum of all rounds counts.
httpx is measured without its command line, because it imports click and rich if they are installed. Peers are measured
if they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path

MADE = "import callsavvy_async\ncallsavvy_async.Callsavvy(public_key='p', private_key='k')"
ANSWER = """
from callsavvy_async.wire.json_bytes import dumps
from callsavvy_async.wire.response import read_envelope
from callsavvy_async.wire.codec import Codec
from callsavvy_async.resources.sends import SEND_SMS
dumps({"recipient": "+2348012345678"})
body = b'{"status":"success","data":{"message_id":"m","cost":"4","status":"sent"}}'
Codec().decode(SEND_SMS, read_envelope(body), body)
"""
ROWS = {
    "asyncio": "import asyncio",
    "asyncio + callsavvy_async": "import asyncio, callsavvy_async",
    "httpx": "import httpx",
    "first client ready": MADE,
    "first client ready, one body written, one response read": MADE + ANSWER,
}
PEERS = ("aiohttp", "telnyx", "twilio.rest", "vonage", "plivo", "sinch", "pydantic", "cattrs")


def cpu(code: str) -> float:
    """Return the CPU milliseconds of some code in a fresh process, without the interpreter's start."""
    program = (
        "import sys, time\nsys.modules['click'] = sys.modules['rich'] = None\n"
        f"began = time.process_time()\n{code}\nprint((time.process_time() - began) * 1000)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def installed(name: str) -> bool:
    return importlib.util.find_spec(name.split(".", maxsplit=1)[0]) is not None


def measure(rounds: int) -> dict[str, float]:
    rows = ROWS | {f"peer: {name}": f"import {name}" for name in PEERS if installed(name)}
    for code in rows.values():
        cpu(code)  # writes the byte code
    taken = [{name: cpu(code) for name, code in rows.items()} for _ in range(rounds)]
    return {name: round(min(one[name] for one in taken), 2) for name in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.rounds)
    print(f"Python {platform.python_version()}, least of {options.rounds} rounds, ms of CPU\n")
    print("| what | ms | / httpx |\n|---|---:|---:|")
    for name, taken in figures.items():
        print(f"| {name} | {taken:.1f} | {taken / figures['httpx']:.2f} |")
    over = figures["asyncio + callsavvy_async"] - figures["asyncio"]
    print(f"\n`import callsavvy_async` over asyncio: {over:.1f} ms (goal: 5)")
    print(f"first client ready / `import httpx`: {figures['first client ready'] / figures['httpx']:.2f} (goal: 1.2)")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
