"""The operator's page plans, starts and steers a campaign through these routes, and downloads its report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Literal

from campaigns import Campaigns, NotPossibleError
from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse
from pydantic import Base64Bytes, BaseModel, PositiveInt
from questions import Draft, message_of
from starlette.background import BackgroundTask

from callsavvy_async import InvalidRequestError, RequestError
from callsavvy_async.campaigns import JournalError


class ListFile(BaseModel):
    """A list as a file, in any format that ``callsavvy bulk`` reads."""

    name: str
    content: Base64Bytes


class NewCampaign(BaseModel):
    """A message and its recipients."""

    message: str
    """A text, or a template with fields of the list such as ``{first_name}``."""
    recipients: str | ListFile
    max_cost: PositiveInt | None = None

    def draft(self) -> Draft:
        """Check the message."""
        given = self.recipients
        return Draft(
            message=message_of(self.message),
            list_name="pasted list" if isinstance(given, str) else given.name,
            content=given.encode() if isinstance(given, str) else given.content,
            max_cost=None if self.max_cost is None else Decimal(self.max_cost),
        )


class CampaignName(BaseModel):
    """A campaign."""

    campaign: str


class Rest(CampaignName):
    """What is left of a campaign."""

    resend: Literal["nothing", "unknown"] = "nothing"
    """With "unknown", people who may have the message already get it again."""


@contextmanager
def as_responses() -> Iterator[None]:
    """Turn what cannot be done into a response that says why."""
    try:
        yield
    except InvalidRequestError as error:
        raise HTTPException(422, str(error)) from None
    except NotPossibleError as error:
        raise HTTPException(409, str(error)) from None
    except RequestError as error:
        raise HTTPException(502, f"The account cannot be read: {error}") from None
    except JournalError as error:
        raise HTTPException(503, str(error)) from None


def campaign_router(campaigns: Campaigns) -> APIRouter:
    """Make the routes below ``/operator``."""
    router = APIRouter(prefix="/operator")

    @router.post("/question")
    async def ask(new: NewCampaign) -> dict[str, object]:
        """Plan a new campaign. Nothing is sent."""
        with as_responses():
            return (await campaigns.ask_new(new.draft())).as_dict()

    @router.post("/question/rest")
    async def ask_rest(rest: Rest) -> dict[str, object]:
        """Plan what is left of a campaign. Nothing is sent."""
        with as_responses():
            return (await campaigns.ask_rest(rest.campaign, rest.resend)).as_dict()

    @router.post("/campaign", status_code=202)
    async def start(confirmed: CampaignName) -> None:
        """Send what the last question asked for."""
        with as_responses():
            await campaigns.start(confirmed.campaign)

    @router.post("/campaign/{action}", status_code=202)
    async def steer(action: Literal["pause", "continue", "stop"]) -> None:
        """Steer the campaign. Requests in flight still end."""
        with as_responses():
            await campaigns.steer(action)

    @router.get("/campaign/report.csv")
    async def report() -> FileResponse:
        """Download the outcome of every recipient. The file holds phone numbers."""
        if campaigns.shown is None:
            raise HTTPException(409, "No campaign exists.")
        with tempfile.NamedTemporaryFile(prefix="report-", suffix=".csv", delete=False) as file:
            path = Path(file.name)
        with as_responses():
            await campaigns.shown.campaign.export(path)
        headers = {"Cache-Control": "no-store"}
        return FileResponse(path, filename="report.csv", headers=headers, background=BackgroundTask(path.unlink))

    return router
