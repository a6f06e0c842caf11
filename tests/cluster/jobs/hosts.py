"""The hosts of jobs. A host is the code of its page in docs/how-to, with the shortest timeouts that its queue allows.

Each page is a user's project: the first line of a block names its file. A torment adds nothing but short timeouts, and a
note of each delivery.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs
import django

PAGES = Path(__file__).resolve().parents[3] / "docs" / "how-to"
DJANGO_TASKS = "django.tasks" if django.VERSION >= (6,) else "django_tasks"
DELIVERIES = "deliveries"
"""File with a byte for each delivery of a job."""
_NOTE = f"""
def note(*_, **__):
    with open({DELIVERIES!r}, "a") as file:
        file.write(".")
"""


@attrs.frozen(kw_only=True)
class JobHost:
    """How to run workers, and how to enqueue jobs.

    Attributes:
        page: page whose code is run.
        worker: arguments of Python that run a worker, in the folder of the project.
        enqueue: program that enqueues the jobs ``numbers``.
        added: code for the end of each file, and files that the page leaves out.
        prepare: program that runs once.
        in_flight: most requests of one worker.
        redis: whether its broker is a Redis. Otherwise it is the database.
        latency: mean seconds of a request. By default some requests take longer than the timeout of the queue.
    """

    page: str
    worker: tuple[str, ...]
    enqueue: str
    added: dict[str, str]
    prepare: str = ""
    in_flight: int
    redis: bool = True
    latency: float = 0.4

    def write(self, folder: Path) -> None:
        """Write the page's files into a folder."""
        found = re.findall(
            r"^```py(?:thon)?\n(# (\S+\.py)\n.*?)^```$",
            (PAGES / self.page).read_text("utf-8"),
            re.MULTILINE | re.DOTALL,
        )
        files = {name: code.replace("django.tasks", DJANGO_TASKS) for code, name in found}
        assert files, self.page
        for name in {**files, **self.added}:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(files.get(name, "") + self.added.get(name, ""), "utf-8")


def recipient(job: int) -> str:
    """Return the recipient of a job's message."""
    return f"+23480{job:08}"


_CELERY = """
from celery.signals import task_prerun

task_prerun.connect(note, weak=False)
app.conf.update(broker_connection_retry_on_startup=True, broker_connection_max_retries=None)
app.conf.broker_transport_options = {
    "visibility_timeout": 1, "unacked_restore_interval": 0.5, "unacked_restore_throttle": 1, "unacked_mutex_expire": 2
}
"""
_DRAMATIQ = """
class Note(dramatiq.Middleware):
    before_process_message = note

broker.add_middleware(Note())
broker.heartbeat_timeout, broker.maintenance_chance = 1000, 1_000_000
"""
_BY_DELAY = """
from tasks import notify

for job in numbers:
    notify.{method}(job, f"+23480{{job:08}}")
"""

_NOTE_SENDS = """
from callsavvy_async.resources.messaging import Messaging

def noted(*arguments, send=Messaging.send_sms, **options):
    note()
    return send(*arguments, **options)

Messaging.send_sms = noted
"""
_RUN = """
import notify

notify.main()
"""
_CRON = """
import subprocess, sys, time

runs = []
while True:
    runs = [run for run in runs if run.poll() is None]
    if len(runs) < 2:
        runs.append(subprocess.Popen([sys.executable, "run.py"]))
    time.sleep(1)
"""
_CRON_ORDERS = """
import sqlite3

with sqlite3.connect("app.db", timeout=60) as database:
    database.executemany(
        "INSERT OR IGNORE INTO orders (id, number, shipped) VALUES (?, ?, 1)",
        [(job, f"+23480{job:08}") for job in numbers],
    )
"""

_SETTINGS = """
import os
from urllib.parse import urlsplit

url = urlsplit(os.environ["CALLSAVVY_JOURNAL"])
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username,
    "HOST": url.hostname, "PORT": url.port,
}}
INSTALLED_APPS = ["django_tasks_db", "shop"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
_MODELS = """
from django.db import models

class Order(models.Model):
    number = models.TextField()
    shipped = models.BooleanField(default=False)
"""
_SETUP = """
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
"""
_MIGRATE = f"""{_SETUP}
from django.core.management import call_command
from django.db import connection
from callsavvy_async.outbox import migration
from shop.models import Order

call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Order)
    editor.execute(migration("postgresql"))
"""
_SHIP = f"""{_SETUP}
from django.db import transaction
from shop.models import Order
from shop.orders import ship

for job in numbers:
    order, _ = Order.objects.get_or_create(id=job, defaults={{"number": f"+23480{{job:08}}"}})
    ship(order)
    try:
        with transaction.atomic():
            ship(Order.objects.create(id=job + 10_000_000, number=f"+23490{{job:08}}"))
            raise KeyError("rolled back, so never sent")
    except KeyError:
        pass
"""
_TASKS = f"""{_SETUP}
from shop.tasks import notify

for job in numbers:
    notify.enqueue(job, f"+23480{{job:08}}")
"""


def _django(command: Sequence[str], enqueue: str, file: str, in_flight: int, latency: float, end: str = "") -> JobHost:
    return JobHost(
        page="django.md",
        worker=("-m", "django", *command, "--settings", "settings"),
        enqueue=enqueue,
        added={"settings.py": _SETTINGS, "shop/models.py": _MODELS, file: _NOTE + _NOTE_SENDS + end},
        prepare=_MIGRATE,
        in_flight=in_flight,
        redis=False,
        latency=latency,
    )


def _celery(pool: str) -> JobHost:
    options = ("--pool", pool, "--concurrency", "4", "--loglevel", "CRITICAL")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return JobHost(
        page="celery.md",
        worker=("-m", "celery", "--quiet", "-A", "tasks", "worker", *options, *quiet),
        enqueue=_BY_DELAY.format(method="delay"),
        added={"tasks.py": _NOTE + _CELERY},
        in_flight=4,
    )


JOB_HOSTS: dict[str, JobHost] = {
    "celery": _celery("prefork"),
    "celery-threads": _celery("threads"),
    "dramatiq": JobHost(
        page="dramatiq.md",
        worker=("-m", "dramatiq", "tasks", "--processes", "2", "--threads", "2"),
        enqueue=_BY_DELAY.format(method="send"),
        added={"tasks.py": _NOTE + _DRAMATIQ},
        in_flight=4,
    ),
    "cron": JobHost(
        page="cron.md",
        worker=("cron.py",),
        enqueue=_CRON_ORDERS,
        added={"cron.py": _CRON, "run.py": _NOTE + _NOTE_SENDS + _RUN},
        prepare="import sqlite3; sqlite3.connect('app.db').executescript('PRAGMA journal_mode = WAL; CREATE TABLE orders"
        " (id INTEGER PRIMARY KEY, number TEXT, shipped INTEGER, notified INTEGER DEFAULT 0)')",
        in_flight=2,
        redis=False,
        latency=0.05,
    ),
    "django": _django(
        ("send_outbox",),
        _SHIP,
        "shop/management/commands/send_outbox.py",
        in_flight=4,
        latency=0.4,
        end='OutboxWorker.__init__.__kwdefaults__["max_in_flight"] = 4',
    ),
    "django-tasks": _django(
        ("db_worker", "--interval", "0.2", "--no-startup-delay"), _TASKS, "shop/tasks.py", in_flight=1, latency=0.05
    ),
}
PYTHON = sys.executable
