"""The alerts and the dashboard of examples/monitoring read metrics that there are. `nox -s alerts` shows that they fire."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from callsavvy_async import Callsavvy, RequestError
from callsavvy_async.integrations.otel import OpenTelemetry
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer

FOLDER = Path(__file__).parents[2] / "examples" / "monitoring"
SELECTOR = re.compile(r"(callsavvy_\w+)(?:\{([^}]*)\})?")
LABELS = {"job", "le", "callsavvy_endpoint", "callsavvy_channel", "callsavvy_outcome", "callsavvy_wait_reason"}


def expressions() -> Iterator[str]:
    """Yield the expressions of both files."""
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]:
        yield from (target["expr"] for target in panel["targets"])


async def series(server: SimulatorServer, sim: Simulator) -> dict[str, set[str]]:
    """Return the labels of each metric after a 429, a bulk send and an unknown outcome."""
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415 - of the group docs
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from prometheus_client import REGISTRY  # noqa: PLC0415

    telemetry = OpenTelemetry(meter_provider=MeterProvider(metric_readers=[PrometheusMetricReader()]))
    sim.faults.next("sendSMS", Fault.with_status(429, retry_after="1"))
    options = {"base_url": server.url, "hooks": [telemetry]}
    async with Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, **options) as callsavvy:
        telemetry.observe(callsavvy.pacing)
        await callsavvy.bulk.sms(["+2348012345678"], "Hello")
        sim.faults.next("sendSMS", Fault.DROP_AFTER_READ)
        with pytest.raises(RequestError):
            await callsavvy.messaging.send_sms("+2348012345678", "Hello")
        found = defaultdict[str, set[str]](set)
        for metric in REGISTRY.collect():
            for sample in metric.samples:
                found[sample.name] |= {*sample.labels}
    return found


@pytest.mark.long
@pytest.mark.sockets
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_each_expression_reads_metrics_and_labels_that_there_are(server: SimulatorServer, sim: Simulator) -> None:
    """An alert on a name with a slip would never fire."""
    there, read = await series(server, sim), set[str]()
    for expression in expressions():
        for name, labels in SELECTOR.findall(expression):
            if name in LABELS:
                continue
            read.add(name)
            assert name in there, expression
            assert {*re.findall(r"(\w+)=", labels)} <= there[name] | {"job"}, expression
        grouped = {label for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(", ")}
        assert grouped <= {"job", "le"}.union(*there.values()), expression
    assert len(read) > 10
