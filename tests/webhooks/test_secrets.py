"""The secret of the URL: what it must be, how it is compared, and that it is never shown."""

from __future__ import annotations

import hmac
import logging

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks import Webhooks, new_secret
from callsavvy_async.webhooks.secrets import SecretSet

OLD, NEW = "the-old-secret-of-ours", "the-new-secret-of-ours"


def test_every_secret_opens() -> None:
    """While one secret replaces another both are valid."""
    secrets = SecretSet([OLD, NEW])
    assert secrets.admit(OLD)
    assert secrets.admit(NEW)


@given(st.text().filter(lambda text: text not in {OLD, NEW}))
def test_nothing_else_opens(guess: str) -> None:
    """Any other text is refused, whatever its characters (compare_digest of str would raise on some)."""
    assert not SecretSet([OLD, NEW]).admit(guess)


@pytest.mark.parametrize("guess", [OLD, NEW, "x", "x" * 10_000, ""])
def test_all_secrets_are_compared_in_constant_time(guess: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each guess is compared to each secret, as bytes of one length, whichever it matches."""
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def spy(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return compare(left, right)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    SecretSet([OLD, NEW]).admit(guess)
    assert len(compared) == 2
    assert {len(side) for pair in compared for side in pair} == {32}
    assert all(isinstance(side, bytes) for pair in compared for side in pair)


@pytest.mark.parametrize("secrets", [[], [""], ["short"], ["twenty characters but blanks"], ["a/b" * 10], [OLD, "x"]])
def test_bad_secrets_are_refused_unseen(secrets: list[str]) -> None:
    """No secret, a short one, or one that no URL segment can hold is an error that does not show it."""
    with pytest.raises(ConfigurationError, match="callsavvy webhooks secret") as caught:
        Webhooks(secrets=secrets)
    assert not [secret for secret in secrets if len(secret) > 1 and secret in str(caught.value)]


def test_no_secret_is_meant() -> None:
    """Without secrets anybody is let in, and so it must be asked for by name."""
    assert Webhooks(insecure=True)
    assert SecretSet([], insecure=True).admit("anything")


def test_insecure_does_not_weaken_secrets() -> None:
    """Where there are secrets they are wanted, insecure or not."""
    assert not SecretSet([OLD], insecure=True).admit("anything")


def test_one_text_is_one_secret() -> None:
    """A text given for the list of secrets is one secret, not one a letter."""
    assert SecretSet(OLD).admit(OLD)


def test_new_secret_is_good_and_new() -> None:
    """A drawn secret is taken, and no two are alike."""
    drawn = {new_secret() for _ in range(100)}
    assert len(drawn) == 100
    assert Webhooks(secrets=sorted(drawn))


def test_repr_hides_secrets() -> None:
    """Neither the webhooks nor what they hold show a secret."""
    hooks = Webhooks(secrets=[OLD, NEW])
    shown = repr(hooks) + repr(vars(hooks))
    assert OLD not in shown
    assert "2 secrets" in shown


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (f"POST /hooks/{OLD} 200", ()),
        ('%s - "%s %s" %d', ("127.0.0.1", "POST", f"/hooks/{NEW}", 200)),
        ("%(path)s", ({"path": f"/hooks/{OLD}"},)),
    ],
)
def test_access_logs_are_masked(text: str, arguments: tuple[object, ...], caplog: pytest.LogCaptureFixture) -> None:
    """With the filter on a server's logger, its lines hold no secret, and all else."""
    logger = logging.getLogger("tests.access")
    masking = Webhooks(secrets=[OLD, NEW]).log_filter()
    logger.addFilter(masking)
    try:
        with caplog.at_level(logging.INFO, "tests.access"):
            logger.info(text, *arguments)
    finally:
        logger.removeFilter(masking)
    assert "/hooks/***" in caplog.text
    assert OLD not in caplog.text
    assert NEW not in caplog.text
