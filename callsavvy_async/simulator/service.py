"""Process one request that was read, without I/O.

The checks have the order of a gateway in front of an application: resource, method, content type, rate limit,
credentials, body, and last the state of the account.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from decimal import Decimal

from callsavvy_async.simulator.contract import ENDPOINTS, Endpoint
from callsavvy_async.simulator.faults import Fault
from callsavvy_async.simulator.handlers.messaging import Charge
from callsavvy_async.simulator.ledger import Ledger, LedgerEntry
from callsavvy_async.simulator.requests import Request
from callsavvy_async.simulator.responses import Json, Reply, RequestRejected, error, success
from callsavvy_async.simulator.state import World

BASE_PATH = "/v1"
"""Path of the resources."""


@dataclass(slots=True)
class _Case:
    """Findings about a request. An error leaves the later ones at their defaults."""

    endpoint: Endpoint | None = None
    recipient: str = ""
    message: str = ""
    charge: Charge | None = None
    rejected: RequestRejected | None = None


class Service:
    """The API of one business."""

    def __init__(self, *, world: World, ledger: Ledger, public_key: str, private_key: str) -> None:
        self._world = world
        self._ledger = ledger
        self._keys = (public_key, private_key)
        self._lock = threading.Lock()

    def respond(self, request: Request, *, rejection: RequestRejected | None, fault: Fault | None) -> Reply:
        """Process a request and record it in the ledger.

        Args:
            request: Request that was read to its end.
            rejection: 429 of the rate limit, or None.
            fault: Fault of the response. With ``processed=False`` the request runs on a copy of the world, which gives
                a response to break.
        """
        case = _Case()
        with self._lock:
            world = self._world if fault is None or fault.processed else self._world.copy()
            try:
                reply = self._process(request, rejection, case, world)
            except RequestRejected as rejected:
                case.rejected = rejected
                reply = error(request.resource, rejected)
            self._ledger.count_post(request.resource)
            if case.endpoint and case.endpoint.spends:
                self._ledger.record(self._entry(case, case.endpoint.resource, reply, fault))
            return reply

    def _process(self, request: Request, rejection: RequestRejected | None, case: _Case, world: World) -> Reply:
        endpoint = case.endpoint = _route(request)
        if rejection is not None:
            raise rejection
        if (request.headers.get("public-key"), request.headers.get("private-key")) != self._keys:
            raise RequestRejected(401, "Invalid API credentials")
        params = endpoint.validate(_parse(request.body) if request.body or endpoint.parameters else {})
        case.recipient, case.message = params.get("recipient", ""), params.get("message", "")
        result = endpoint.handler(world, params)
        if isinstance(result, Charge):
            case.charge = result
            result = result.data
        return success(endpoint.response_name or endpoint.resource, result)

    def _entry(self, case: _Case, resource: str, reply: Reply, fault: Fault | None) -> LedgerEntry:
        charge = case.charge if fault is None or fault.processed else None
        done = "charged" if charge else "fault"
        return LedgerEntry(
            at=self._world.now(),
            resource=resource,
            recipient=case.recipient,
            status=reply.status,
            reason=case.rejected.message if case.rejected else done,
            charged=charge is not None,
            cost=charge.cost if charge else Decimal(0),
            message_id=charge.message_id if charge else "",
            fault=str(fault) if fault else "",
            message=case.message,
        )


def _route(request: Request) -> Endpoint:
    endpoint = ENDPOINTS.get(request.resource)
    if endpoint is None or request.path != f"{BASE_PATH}/{endpoint.resource}":
        raise RequestRejected(404, "Resource not found")
    if request.method != "POST":
        raise RequestRejected(405, "Only JSON encoded HTTP POST requests are accepted", headers={"allow": "POST"})
    if not request.body and not endpoint.parameters:
        return endpoint  # "requires no request body"
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestRejected(415, "Content type must be application/json")
    return endpoint


def _parse(body: bytes) -> Json:
    try:
        value: Json = json.loads(body.decode())
        json.dumps(value, ensure_ascii=False).encode()  # fails on a lone surrogate
    except (ValueError, RecursionError):
        raise RequestRejected(400, "Request body is not valid JSON") from None
    return value
