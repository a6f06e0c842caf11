"""The fixed part of a request: what stands above every body of an endpoint."""

from __future__ import annotations

import pytest

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.wire.request_template import RequestTemplate

HEADERS = (("host", "api.example"), ("public-key", "secret"))


@pytest.mark.parametrize(
    ("url", "secure", "host", "port", "path"),
    [
        ("https://api.example/v1/x", True, "api.example", 443, "/v1/x"),
        ("http://127.0.0.1:8080/v1/x", False, "127.0.0.1", 8080, "/v1/x"),
        ("http://[::1]:81/v1/x?a=1&b", False, "::1", 81, "/v1/x?a=1&b"),
        ("http://localhost", False, "localhost", 80, "/"),
    ],
)
def test_where_to_connect(url: str, secure: bool, host: str, port: int, path: str) -> None:
    """Scheme, host, port and path come from the URL, the port by the scheme where it is not named."""
    template = RequestTemplate.of(url, ())
    assert (template.secure, template.host, template.port, template.path) == (secure, host, port, path)


@pytest.mark.parametrize("odd", ["\r", "\n", "\0", " ", "\x7f", "é"])
def test_nothing_is_smuggled_by_a_resource(odd: str) -> None:
    """A resource that would end the request line early is refused before anything is sent (RFC 9112, 3.2)."""
    with pytest.raises(InvalidRequestError, match="URL"):
        RequestTemplate.of(f"https://api.example/v1/send{odd}SMS", HEADERS)


@pytest.mark.parametrize(
    "field", [("a", "1\r\nb: 2"), ("a", "1\n"), ("a", "\0"), ("a", "€"), ("a b", "1"), ("a:", "1")]
)
def test_nothing_is_smuggled_by_a_field(field: tuple[str, str]) -> None:
    """A field that would begin another is refused, and its value is not shown (RFC 9110, 5.5)."""
    with pytest.raises(InvalidRequestError, match="header field") as caught:
        RequestTemplate.of("https://api.example/v1/sendSMS", (*HEADERS, field))
    assert field[1] not in str(caught.value) or field[1] == "1"


def test_a_target_hides_the_keys() -> None:
    """Keys stand in the header fields, which are not in the repr."""
    assert (
        repr(RequestTemplate.of("https://api.example/v1/x", HEADERS))
        == "RequestTemplate(url='https://api.example/v1/x')"
    )


def test_added_headers_leave_the_rest_as_it_is() -> None:
    """Fields that are added come after the SDK's own, and the template that they are added to stays unchanged."""
    template = RequestTemplate.of("https://api.example/v1/x", HEADERS)
    added = template.with_headers({"traceparent": "00-1"})
    assert added.headers == (*HEADERS, ("traceparent", "00-1"))
    assert (added.url, added.path, template.headers) == (template.url, template.path, HEADERS)


@pytest.mark.parametrize("name", ["Public-Key", "HOST", "content-length", "Transfer-Encoding", "Connection", "expect"])
def test_added_headers_cannot_replace_those_of_the_sdk(name: str) -> None:
    """A field that the SDK sets itself, or that decides where the request ends, is refused, and its value is not shown."""
    with pytest.raises(InvalidRequestError, match=f"sets the header field '{name}' itself") as caught:
        RequestTemplate.of("https://api.example/v1/x", HEADERS).with_headers({name: "a value"})
    assert "a value" not in str(caught.value)


@pytest.mark.parametrize("field", [("a", "1\r\nb: 2"), ("a b", "1")])
def test_added_headers_smuggle_nothing(field: tuple[str, str]) -> None:
    """The rule of characters holds for added fields too."""
    with pytest.raises(InvalidRequestError, match="header field"):
        RequestTemplate.of("https://api.example/v1/x", HEADERS).with_headers(dict([field]))
