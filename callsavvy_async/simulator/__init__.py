"""A stateful simulator of the Callsavvy API, with a ledger of all charges and with faults on demand.

The simulator is an independent witness. It follows the API document alone and imports only the standard library, so it
cannot share a mistake with the SDK.

    from callsavvy_async.simulator import Fault, Simulator, serve

    sim = Simulator(sms_balance=10)
    sim.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    with serve(sim) as server:
        ...                                     # use a client with server.url and the simulator's keys
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
