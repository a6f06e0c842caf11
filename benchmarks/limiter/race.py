"""Race 300 concurrent sends at a hidden 20/s: `python -m benchmarks.limiter.race [--peers DIR] [--count 300]`.

Each client runs in a separate process, one after the other, against a new server in this process. The peers have a virtual
environment in DIR, which is created if missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.limiter.race_clients import CLIENTS
from testbed.limiter.race_server import RaceServer, serving

PEERS = (
    "telnyx==4.189.0",
    "twilio==9.13.0",
    "slack_sdk==3.48.0",
    "aiohttp==3.14.5",
    "aiometer==1.0.0",
    "httpx==0.28.1",
)
RATE = BURST = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limiter.race", description=__doc__)
    parser.add_argument("--peers", type=Path, default=Path("build/peers"))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--only", choices=CLIENTS)
    options = parser.parse_args()
    peers = _environment(options.peers)
    rows = []
    for retry_after in (False, True):
        print(f"\n{'with' if retry_after else 'without'} Retry-After")
        print("| client | delivered | lost | twice | 429s | accepted requests | connections | seconds |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for name in [options.only] if options.only else CLIENTS:
            python = sys.executable if "callsavvy" in name else peers
            rows.append(_race(name, str(python), options.count, retry_after=retry_after))
    if not options.only:
        Path("benchmarks/limiter/results/race.json").write_text(json.dumps(rows, indent=1) + "\n")


def _environment(directory: Path) -> Path:
    python = directory / "bin" / "python"
    if not python.exists():
        venv.create(directory, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def _race(name: str, python: str, count: int, *, retry_after: bool) -> dict[str, object]:
    script = Path(__file__).with_name("race_clients.py")
    with serving(RaceServer(RATE, BURST, retry_after)) as server:
        run = subprocess.run(
            [python, "-P", str(script), name, server.url, str(count)],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        result = json.loads(run.stdout.splitlines()[-1])
    delivered = len(server.delivered)
    row = {
        "client": name,
        "retry_after": retry_after,
        "delivered": delivered,
        "lost": count - delivered,
        "twice": server.delivered.total() - delivered,
        "refused": server.refused,
        "accepted": server.accepted,
        "connections": server.connections,
        **result,
    }
    print(
        f"| {name} | {delivered} | {row['lost']} | {row['twice']} | {server.refused} | {server.accepted}"
        f" | {server.connections} | {result['seconds']:.1f} |",
        flush=True,
    )
    assert result["errors"] == count - delivered, (
        result,
        "a client's report contradicts the server",
    )
    return row


if __name__ == "__main__":
    main()
