"""The pytest plugin as its users meet it: in a test run of their own."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

INSTALLED = entry_points(group="pytest11", name="callsavvy")
LOADED = () if INSTALLED else ("-p", "callsavvy_async.testing.plugin")  # from the source tree there is no entry point
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:asyncio", *LOADED, "-W", "error")


def run(pytester: pytest.Pytester, code: str, *more: str) -> pytest.RunResult:
    pytester.makeini("[pytest]")  # a project of its own, wherever the temporary folder lies
    pytester.makepyfile(code)
    return pytester.runpytest_subprocess(*OPTIONS, *more)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_client_and_simulator(pytester, backend):
    """Callsavvy sends to callsavvy_sim, whose ledger says whom it reached; on asyncio and trio."""
    result = run(
        pytester,
        f"""
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "{backend}"

        @pytest.mark.anyio
        async def test_send(callsavvy, callsavvy_sim):
            await callsavvy.messaging.send_sms("+2348012345678", "Hello")
            assert callsavvy_sim.ledger.charged_count("+2348012345678") == 1
        """,
    )
    result.assert_outcomes(passed=1)


def test_server(pytester):
    """callsavvy_server answers on a socket."""
    result = run(
        pytester,
        """
        import urllib.request, urllib.error, pytest

        def test_send(callsavvy_server):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(callsavvy_server.url + "/getSummary")
            assert caught.value.code == 405
            caught.value.close()
        """,
    )
    result.assert_outcomes(passed=1)


REAL = """
    import asyncio
    from callsavvy_async import Callsavvy, Credentials

    def test_send():
        async def main():
            async with Callsavvy(Credentials.SANDBOX) as callsavvy:
                await callsavvy.messaging.send_sms("+2348012345678", "Hello")
        asyncio.run(main())
    """


def test_the_real_host_is_refused(pytester):
    """A test that would really send fails at once, before a name is looked up, and says what to do."""
    result = run(pytester, REAL)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*tried to reach the real Callsavvy API*"])


def test_mocked_requests_to_the_real_host_pass(pytester):
    """Respx stands in before any look-up: the guard is not in the way."""
    result = run(
        pytester,
        """
        import asyncio, httpx, respx
        from callsavvy_async import Callsavvy, Credentials

        def test_send(respx_mock):
            route = respx_mock.post("https://api.getcallsavvy.com/v1/sendSMS").respond(
                json={"status": "success", "data": {"status": "sent"}}
            )
            async def main():
                async with Callsavvy(Credentials.SANDBOX) as callsavvy:
                    await callsavvy.messaging.send_sms("+2348012345678", "Hello")
            asyncio.run(main())
            assert route.call_count == 1
        """,
    )
    result.assert_outcomes(passed=1)
