"""The file in the user's state folder in which campaigns and the command line keep the learned rate limits."""

from __future__ import annotations

from pathlib import Path

from callsavvy_async.campaigns.journal.witness import state_folder


def limits_file() -> Path | None:
    """Return the path of the file; None for a user without a home."""
    try:
        return state_folder() / "limits.json"
    except RuntimeError:
        return None
