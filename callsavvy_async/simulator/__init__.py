"""A stateful stand-in for the Callsavvy API, with a ledger of what was truly charged and faults on demand.

It is a witness: written from the API document alone, it imports nothing of the SDK and nothing but the standard
library, so that a mistake in the SDK cannot agree with it.

    from callsavvy_async.simulator import Fault, Simulator, serve

    sim = Simulator(sms_balance=10)
    sim.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    with serve(sim) as server:
        ...                                     # a client for server.url, with sim's keys
    assert sim.ledger.charged_count("+2348012345678") == 1
"""

from __future__ import annotations

from callsavvy_async.simulator.app import PRIVATE_KEY, PUBLIC_KEY, WHATSAPP_UID, Simulator
from callsavvy_async.simulator.channel import ConnectionDropped
from callsavvy_async.simulator.contract import ENDPOINTS, Endpoint, Parameter
from callsavvy_async.simulator.fault_plan import FAULT_HEADER, FaultPlan
from callsavvy_async.simulator.faults import FAULTS, Fault, FaultKind
from callsavvy_async.simulator.ledger import Ledger, LedgerEntry, Totals
from callsavvy_async.simulator.limits import Admission, Concurrency, FixedWindow, Limit, SlidingWindow, TokenBucket
from callsavvy_async.simulator.requests import Request
from callsavvy_async.simulator.server import SimulatorServer, serve, serve_forever
from callsavvy_async.simulator.state import Balances, World

__all__ = [
    "ENDPOINTS",
    "FAULTS",
    "FAULT_HEADER",
    "PRIVATE_KEY",
    "PUBLIC_KEY",
    "WHATSAPP_UID",
    "Admission",
    "Balances",
    "Concurrency",
    "ConnectionDropped",
    "Endpoint",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "FixedWindow",
    "Ledger",
    "LedgerEntry",
    "Limit",
    "Parameter",
    "Request",
    "Simulator",
    "SimulatorServer",
    "SlidingWindow",
    "TokenBucket",
    "Totals",
    "World",
    "serve",
    "serve_forever",
]
