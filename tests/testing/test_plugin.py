"""The pytest plugin as its users meet it: in a test run of their own, which is run once for all that is asked of it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree as ET

import pytest

from tests.profiles import mostly_long

INSTALLED = entry_points(group="pytest11", name="callsavvy")
LOADED = () if INSTALLED else ("-p", "callsavvy_async.testing.plugin")  # from the source tree there is no entry point
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *LOADED, "-W", "error")

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "testing.md"
DOCUMENTED = DOCUMENT.read_text("utf-8").split("```python\n", 1)[1].partition("```")[0]
"""The first test that the documents show."""

USER_TESTS = {
    "documented": DOCUMENTED,
    "documented_asyncio": DOCUMENTED.replace("mark.anyio", "mark.asyncio").replace(
        "async def test_", "async def test_asyncio_"
    ),
    "client": """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
        async def test_client(callsavvy, callsavvy_sim):
            await callsavvy.messaging.send_sms("+2348012345678", "Hello")
            assert callsavvy_sim.ledger.charged_count("+2348012345678") == 1
        """,
    "server": """
        import urllib.request, urllib.error, pytest

        def test_server(callsavvy_server):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(callsavvy_server.url + "/getSummary")
            assert caught.value.code == 405
            caught.value.close()
        """,
    "real": """
        import asyncio
        from callsavvy_async import Callsavvy, Credentials

        def test_real():
            async def main():
                async with Callsavvy(Credentials.SANDBOX) as callsavvy:
                    await callsavvy.messaging.send_sms("+2348012345678", "Hello")
            asyncio.run(main())
        """,
    "mocked": """
        import asyncio, httpx, respx
        from callsavvy_async import Callsavvy, Credentials

        def test_mocked(respx_mock):
            route = respx_mock.post("https://api.getcallsavvy.com/v1/sendSMS").respond(
                json={"status": "success", "data": {"status": "sent"}}
            )
            async def main():
                async with Callsavvy(Credentials.SANDBOX) as callsavvy:
                    await callsavvy.messaging.send_sms("+2348012345678", "Hello")
            asyncio.run(main())
            assert route.call_count == 1
        """,
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run a user's tests, and return of each what it failed with: nothing when it passed."""
    project = tmp_path_factory.mktemp("project")
    (project / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    )  # a project of its own, wherever the temporary folder lies
    for name, code in USER_TESTS.items():
        (project / f"test_{name}.py").write_text(dedent(code))
    results = project / "results.xml"
    command = [sys.executable, "-m", "pytest", *OPTIONS, f"--junitxml={results}"]
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert results.exists(), ended.stdout + ended.stderr
    return _read(results)


def _read(results: Path) -> dict[str, str]:
    return {
        str(case.get("name")): "\n".join(problem.text or "" for problem in case)
        for case in ET.parse(results).iter("testcase")  # noqa: S314 - our own
    }


@pytest.mark.parametrize("backend", mostly_long(["asyncio", "trio"]))
def test_client_and_simulator(failures: dict[str, str], backend: str) -> None:
    """Callsavvy sends to callsavvy_sim, whose ledger says whom it reached; on asyncio and trio."""
    assert not failures[f"test_client[{backend}]"]


@pytest.mark.parametrize("name", ["", "asyncio_"])
def test_the_documented_test(failures: dict[str, str], name: str) -> None:
    """The test of docs/how-to/testing.md runs as it stands with anyio, and with pytest-asyncio under that plugin's mark."""
    found = {test: failed for test, failed in failures.items() if test.startswith(f"test_{name}a_customer")}
    assert found
    assert not any(found.values())


def test_server(failures: dict[str, str]) -> None:
    """callsavvy_server answers on a socket."""
    assert not failures["test_server"]


def test_the_real_host_is_refused(failures: dict[str, str]) -> None:
    """A test that would really send fails at once, before a name is looked up, and says what to do."""
    assert "tried to reach the real Callsavvy API" in failures["test_real"]


def test_mocked_requests_to_the_real_host_pass(failures: dict[str, str]) -> None:
    """Respx stands in before any look-up: the guard is not in the way."""
    assert not failures["test_mocked"]
