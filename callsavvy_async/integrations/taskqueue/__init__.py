"""Campaigns hosted by a task queue: one job is one runner, never one request.

A row in a queue for every request would double the journal, and a queue that repeats a job whose worker died would send twice.
So a job only hosts a runner (`run_campaign`); what was sent and what may be sent is in the journal, and a job that is
repeated, or delivered twice, is one more runner beside the others.

`procrastinate`, `pgqueuer` and `taskiq` are modules of this package, each of which imports its engine.
"""

from callsavvy_async.integrations.taskqueue.hosting import CampaignStoppedError, run_campaign

__all__ = ["CampaignStoppedError", "run_campaign"]
