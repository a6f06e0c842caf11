"""Campaigns in a task queue: one job is one worker of a campaign, never one request.

With one job per request, the queue would duplicate the journal, and a retry of a job whose process died would send twice. So
a job only hosts a worker (`run_campaign`), and the journal records the requests. A job that is retried or delivered twice is
one more worker.

The modules `procrastinate`, `pgqueuer` and `taskiq` each import their engine.
"""

from callsavvy_async.integrations.taskqueue.hosting import CampaignStoppedError, run_campaign

__all__ = ["CampaignStoppedError", "run_campaign"]
