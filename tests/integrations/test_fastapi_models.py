"""The types of the package as responses of a FastAPI application."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from pydantic import TypeAdapter

from callsavvy_async import BulkReport, SendReceipt, models
from callsavvy_async.campaigns import CampaignReport
from callsavvy_async.models import Model, SendStatus, Summary, Ticket
from callsavvy_async.webhooks import CallSummary

RECEIPT = SendReceipt(raw=b"\xff", message_id="m", cost=Decimal("4.5"), status=SendStatus("new word"))
AS_JSON = {"extra": {}, "message_id": "m", "cost": "4.5", "status": "new word"}
MODELS = [
    model for model in map(models.__dict__.get, models.__all__) if isinstance(model, type) and issubclass(model, Model)
]


@pytest.mark.anyio
async def test_responses_of_fastapi() -> None:
    """A return annotation is enough: FastAPI accepts it, writes the fields, and describes them in the OpenAPI document."""
    app = FastAPI()

    @app.get("/summary")
    async def summary() -> Summary:
        return Summary(sms_balance=Decimal("4.50"))

    @app.get("/receipt")
    async def receipt() -> SendReceipt | None:
        return RECEIPT

    @app.get("/tickets")
    async def tickets() -> tuple[Ticket, ...]:
        return (Ticket(ticket_id="t", created_at=datetime(2026, 11, 30, tzinfo=UTC)),)

    @app.get("/report")
    async def report() -> CampaignReport:
        return CampaignReport(name="c", given=2)

    @app.get("/untyped", response_model=None)
    async def untyped() -> dict[str, object]:
        return {"receipt": SendReceipt(message_id="m"), "report": BulkReport()}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.example") as client:
        found = {path: (await client.get(path)).json() for path in ("/summary", "/receipt", "/tickets", "/report")}
        loose = (await client.get("/untyped")).json()
        document = (await client.get("/openapi.json")).json()
    assert found["/summary"]["sms_balance"] == "4.50"
    assert found["/receipt"] == AS_JSON
    assert found["/tickets"][0]["created_at"] == "2026-11-30T00:00:00Z"
    assert found["/report"] == dict(CampaignReport(name="c", given=2).as_dict())
    assert loose["receipt"]["message_id"] == "m"
    described = document["paths"]["/summary"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert "sms_balance" in described["properties"]


@pytest.mark.parametrize("model", [*MODELS, CallSummary], ids=lambda model: model.__name__)
def test_every_model_has_a_schema(model: type[Model]) -> None:
    """Pydantic can describe and check every response type and event, not only those of the examples."""
    adapter = TypeAdapter(model)
    assert adapter.json_schema(mode="serialization")["type"] == "object"
    with pytest.raises(ValueError, match="instance"):
        adapter.validate_python({})


def test_json_leaves_out_the_raw_body() -> None:
    """`raw` may hold bytes that no text can, and repeats the fields."""
    assert TypeAdapter(SendReceipt).dump_python(RECEIPT, mode="json") == AS_JSON
    assert jsonable_encoder(RECEIPT) == {**AS_JSON, "cost": 4.5}
    assert "raw" not in vars(RECEIPT)


def test_models_stay_values() -> None:
    """What `vars` shows is a copy: a model cannot be changed by it, and is copied and pickled as before."""
    vars(RECEIPT)["message_id"] = "other"
    assert RECEIPT.message_id == "m"
    assert RECEIPT == copy.deepcopy(RECEIPT) == pickle.loads(pickle.dumps(RECEIPT))  # noqa: S301 - our own bytes
