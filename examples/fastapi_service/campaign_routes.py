"""Start a campaign, stop it, and fetch its report: what the operator's page asks for."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import anyio.to_thread
from campaigns import Campaigns, CampaignUnderWayError
from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse
from pydantic import BaseModel, PositiveInt
from starlette.background import BackgroundTask

from callsavvy_async import InvalidRequestError
from callsavvy_async.bulk.recipient_files import Row, read_rows


class NewCampaign(BaseModel):
    """What to send to whom."""

    message: str
    recipients: str | list[str | dict[str, str]]
    """A list, or the text of a file: CSV, JSON lines, or one number a line."""
    max_cost: PositiveInt | None = None


def campaign_router(campaigns: Campaigns) -> APIRouter:
    """Make the routes below ``/operator/campaign``."""
    router = APIRouter(prefix="/operator/campaign")

    @router.post("", status_code=202)
    async def start(new: NewCampaign) -> None:
        """Begin a campaign; the list is checked whole before the first message leaves."""
        max_cost = None if new.max_cost is None else Decimal(new.max_cost)
        try:
            rows = await anyio.to_thread.run_sync(rows_of, new.recipients)
            await campaigns.start(new.message, rows, max_cost=max_cost)
        except InvalidRequestError as error:
            raise HTTPException(422, str(error)) from None
        except CampaignUnderWayError:
            raise HTTPException(409, "One campaign is sent at a time: wait for it, or stop it.") from None

    @router.post("/stop", status_code=202)
    async def stop() -> None:
        """Send nothing more; what is on the wire is waited for."""
        campaigns.stop()

    @router.get("/report.csv")
    async def report() -> FileResponse:
        """Download the outcome of every recipient, once the campaign has ended. It holds phone numbers."""
        campaign = campaigns.latest
        if campaign is None or campaign.state != "ended":
            raise HTTPException(409, "There is no campaign that has ended.")
        with tempfile.NamedTemporaryFile(prefix="report-", suffix=".csv", delete=False) as file:
            path = Path(file.name)
        await anyio.to_thread.run_sync(campaign.run.report.to_csv, path)
        headers = {"Cache-Control": "no-store"}
        return FileResponse(path, filename="report.csv", headers=headers, background=BackgroundTask(path.unlink))

    return router


def rows_of(recipients: str | list[str | dict[str, str]]) -> list[Row]:
    """Return a list's rows, read as a file of any known format when they are a text."""
    if not isinstance(recipients, str):
        return recipients
    with tempfile.NamedTemporaryFile("w", prefix="recipients-", encoding="utf-8") as file:
        file.write(recipients)
        file.flush()
        return list(read_rows(file.name))
