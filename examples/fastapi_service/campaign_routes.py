"""The operator's page starts and stops a campaign and downloads its report through these routes."""

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
    """A message and its recipients."""

    message: str
    recipients: str | list[str | dict[str, str]]
    """A list, or the content of a file: CSV, JSON lines, or one number per line."""
    max_cost: PositiveInt | None = None


def campaign_router(campaigns: Campaigns) -> APIRouter:
    """Make the routes below ``/operator/campaign``."""
    router = APIRouter(prefix="/operator/campaign")

    @router.post("", status_code=202)
    async def start(new: NewCampaign) -> None:
        """Start a campaign. The whole list is checked before the first message leaves."""
        max_cost = None if new.max_cost is None else Decimal(new.max_cost)
        try:
            rows = await anyio.to_thread.run_sync(rows_of, new.recipients)
            await campaigns.start(new.message, rows, max_cost=max_cost)
        except InvalidRequestError as error:
            raise HTTPException(422, str(error)) from None
        except CampaignUnderWayError:
            raise HTTPException(409, "A campaign is running: wait for it, or stop it.") from None

    @router.post("/stop", status_code=202)
    async def stop() -> None:
        """Stop the campaign. Requests in flight still end."""
        campaigns.stop()

    @router.get("/report.csv")
    async def report() -> FileResponse:
        """Download the outcome of every recipient after the end of the campaign. The file holds phone numbers."""
        campaign = campaigns.latest
        if campaign is None or campaign.state != "ended":
            raise HTTPException(409, "The report exists only after the end of a campaign.")
        with tempfile.NamedTemporaryFile(prefix="report-", suffix=".csv", delete=False) as file:
            path = Path(file.name)
        await anyio.to_thread.run_sync(campaign.run.report.to_csv, path)
        headers = {"Cache-Control": "no-store"}
        return FileResponse(path, filename="report.csv", headers=headers, background=BackgroundTask(path.unlink))

    return router


def rows_of(recipients: str | list[str | dict[str, str]]) -> list[Row]:
    """Return the rows of a list, or of a file's content in any known format."""
    if not isinstance(recipients, str):
        return recipients
    with tempfile.NamedTemporaryFile("w", prefix="recipients-", encoding="utf-8") as file:
        file.write(recipients)
        file.flush()
        return list(read_rows(file.name))
