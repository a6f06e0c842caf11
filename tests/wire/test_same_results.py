"""One answer, one result: the SDK's reader and cattrs, the fast libraries and the standard one, agree on everything."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, product
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import example, given, strategies as st

from callsavvy_async import models
from callsavvy_async.encodable import encodable_json
from callsavvy_async.webhooks.events import EVENT_TYPES
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.field_parsers import UnreadableDataError
from callsavvy_async.wire.json_bytes import dumps, loads
from callsavvy_async.wire.model import Model, Receipt, wire_fields
from callsavvy_async.wire.response import DecodedRows, Envelope, read_envelope
from tests.profiles import mostly_long
from tests.wire.cattrs_codec import CattrsCodec
from tests.wire.conftest import speed

ANSWERS = [kind for kind in map(vars(models).get, models.__all__) if isinstance(kind, type) and attrs.has(kind)]
MODELS: list[type[Any]] = [*ANSWERS, *EVENT_TYPES.values()]
ZONES = [None, ZoneInfo("Africa/Lagos")]

QUIRK_VALUES: list[Any] = [
    *["", " ", "\t\u00a0\n", None, [], {}, [""], {"0": "https://a/1"}, {"0": "a", "2": ""}],  # Q15
    *["4", " 4.50 ", "-1", "1e3", "1E400", "1_000", "٣", "Unlimited", "NaN", "-Infinity", "sNaN", "4 units"],  # Q13
    *[0, 1, 7, -2, 4.5, 1e300, 2**70, 20261122, True, False],  # Q13
    *["9" * 25, "0.5", "3.0", "1e999999999999999999999"],  # counts and durations that cannot be
    *["true", "TRUE ", "false", "0", "no", "yes", "maybe"],  # Q24
    *["2026-11-22 08:15:00", " 2026-11-22T08:15:00+02:00 ", "2026-11-22", "20261122T081500Z", "2026-W48-1"],  # Q16
    *["0000-00-00 00:00:00", "2026-02-30", "yesterday", "2026-11-22 08:15:00.123456789"],  # Q16
    *["New", "new", " Awaiting Agent Reply ", "Incoming", "sent", "SENT", "sent | queued | failed", "moon"],  # Q22
    *["https://a/1,2.png, https://b/3", ",", " , ", ["https://a", 7, None], [{}], [["x"]], [True]],  # Q25
    *["376d03ghjsb==", " 7 ", "\ud800"],  # Q36
]
QUIRKS = st.sampled_from(QUIRK_VALUES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | QUIRKS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def rows(model: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the model's wire names, our own names, the reserved ones and strange ones."""
    documented = [field.wire for field in wire_fields(model)]
    names = [*documented, *(field.name for field in wire_fields(model)), "extra", "raw", "parts"]
    usual = st.fixed_dictionaries(dict.fromkeys(documented, QUIRKS))
    return usual | st.builds(mixed, st.just(documented), st.integers(0), QUIRKS) | _some(documented or names, names)


def mixed(documented: list[str], place: int, value: Any) -> dict[str, Any]:
    """A row of plain values but for one, so that each field meets each quirk where all else is as documented."""
    row: dict[str, Any] = dict.fromkeys(documented, "")
    if documented:
        row[documented[place % len(documented)]] = value
    return row


def _some(documented: list[str], names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(documented), QUIRKS) | st.dictionaries(st.sampled_from(names), QUIRKS | JSON)


def exactly(value: object) -> object:
    """Tell values apart that are equal: 1 and True, 4 and 4.0, Decimals of another scale, times of another zone."""
    if isinstance(value, tuple | list):
        return type(value), [exactly(item) for item in value]
    if isinstance(value, dict):
        return {name: exactly(item) for name, item in value.items()}
    if isinstance(value, Model):
        return type(value), {field.name: exactly(getattr(value, field.name)) for field in attrs.fields(type(value))}
    return type(value), repr(value)


def outcome(codec: Any, returns: Any, data: Any) -> object:
    endpoint = Endpoint("x", returns, Effect.READ)
    try:
        if isinstance(codec, Codec):
            return exactly(codec.decode(endpoint, Envelope(None, None, data), b"raw"))
        return exactly(codec.decode(endpoint, data, b"raw"))
    except UnreadableDataError as error:
        return str(error)


@given(data=st.data(), zone=st.sampled_from(ZONES))
def test_answers_are_read_as_cattrs_reads_them(data: st.DataObject, zone: ZoneInfo | None) -> None:
    """Every model, alone and in lists, out of every quirk and of nonsense: the same values of the same types."""
    model = data.draw(st.sampled_from(ANSWERS))
    rows_of = rows(model)
    one = st.tuples(st.just(model), rows_of | JSON | rows_of.map(lambda row: [row]))
    lists = st.lists(rows_of | QUIRKS, max_size=3) | rows_of.map(lambda row: {"0": row, "2": row}) | JSON
    many = st.tuples(st.just(tuple[model, ...]), lists)
    returns, sent = data.draw(one if issubclass(model, Receipt) else one | many)
    assert outcome(Codec(zone), returns, sent) == outcome(CattrsCodec(zone), returns, sent)


@given(data=st.data(), zone=st.sampled_from(ZONES))
def test_events_are_read_as_cattrs_reads_them(data: st.DataObject, zone: ZoneInfo | None) -> None:
    """Webhooks are read by the same reader; they keep their body as receipts do."""
    model = data.draw(st.sampled_from(list(EVENT_TYPES.values())))
    sent = data.draw(rows(model))
    expected = attrs.evolve(CattrsCodec(zone).decode(Endpoint("x", model, Effect.READ), sent, b"raw"), raw=b"raw")
    assert exactly(Codec(zone).row_reader(model)(sent, b"raw")) == exactly(expected)


@pytest.mark.parametrize("model", MODELS)
def test_a_read_object_is_like_one_that_was_made(model: type[Any]) -> None:
    """Reading fills the slots past the model's constructor, so that one may hold nothing but assignments."""
    assert not hasattr(model, "__attrs_post_init__")
    assert all(field.converter is None and field.validator is None for field in attrs.fields(model))
    made: Any = model(**{"raw": b"raw"} if "raw" in attrs.fields_dict(model) else {})
    assert type(made).__dictoffset__ == 0  # its fields are slots; `vars` shows a copy
    assert exactly(Codec().row_reader(model)({}, b"raw")) == exactly(made)
    assert hash(Codec().row_reader(model)({}, b"raw")) == hash(made)


def all_odd(names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield as many rows as there are quirks, in which each field has each quirk once."""
    for first in range(len(QUIRK_VALUES)):
        yield dict(zip(names, cycle([*QUIRK_VALUES[first:], *QUIRK_VALUES[:first]]), strict=False))


def one_odd(names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield a row for each quirk in each field, in which all else is blank."""
    for name, quirk in product(names, QUIRK_VALUES):
        yield dict.fromkeys(names, "") | {name: quirk}


@pytest.mark.parametrize("libraries", mostly_long([True, False]), ids=["speed", "stdlib"], indirect=True)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rows_of", mostly_long([all_odd, one_odd]))
def test_each_field_meets_each_quirk(
    model: type[Any], rows_of: Callable[[list[str]], Iterator[dict[str, Any]]]
) -> None:
    """The code that is written out for a model reads or refuses every quirk in every field as cattrs reads it."""
    endpoint: Endpoint[Any] = Endpoint("x", model, Effect.READ)
    read, witness = Codec().row_reader(model), CattrsCodec()
    for row in rows_of([field.wire for field in wire_fields(model)]):
        assert exactly(read(row, b"")) == exactly(witness.decode(endpoint, row, b"")), row


def test_rows_share_nothing() -> None:
    """A model's reader is made once, and every object has an `extra` of its own."""
    codec = Codec()
    read = codec.row_reader(Receipt)
    assert codec.row_reader(Receipt) is read
    assert read({}, b"").extra is not read({}, b"").extra


# --------------------------------------------------------------------------------- with the extra `speed` and without


def both_ways(call: Any) -> list[object]:
    """What a call does with the fast libraries and without: the exact value, or the kind of refusal."""
    results: list[object] = []
    for installed in (True, False):
        with speed(installed=installed):
            try:
                results.append(exactly(call()))
            except (ValueError, TypeError, RecursionError) as error:
                results.append(type(error))
    return results


NUMBERS = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True).map(str.encode)
TEXTS = st.text(st.characters()).map(lambda text: json.dumps(text).encode()) | st.from_regex(
    r'"(\\u[0-9a-fA-F]{4}|\\[bfnrt/"\\]|[a-z\x00-\x1f]){0,8}"', fullmatch=True
).map(lambda text: text.encode())
DOCUMENTS = st.recursive(
    NUMBERS | TEXTS | st.sampled_from([b"true", b"null", b"NaN", b"-Infinity", b" 1\n", b"01", b"\x0c1", b"1e400"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: b"[" + b",".join(items) + b"]")
        | st.lists(st.tuples(TEXTS, inner), max_size=3).map(
            lambda members: b"{" + b", ".join(name + b":" + value for name, value in members) + b"}"
        )
    ),
    max_leaves=6,
)


@given(DOCUMENTS | st.binary(max_size=20) | DOCUMENTS.map(lambda text: text[:-1]))
@example(b"18446744073709551616")
@example(b'{"a":1,"a":2}')
@example(b"\xef\xbb\xbf{}")
@example(b'"\\ud800"')
@example(b'"\xed\xa0\x80"')
@example(b'{"a\\u0000":["x\\uDE00y",{"b":"\\ud83d\\ude00"}]}')
@example("{}".encode("utf-16"))
@example(b"-0")
@example(b"-0.0")
@example(b"1" * 5000)
@example(b"[" * 100_000)
def test_json_is_read_the_same(body: bytes) -> None:
    """Whole numbers of any length, double names, escapes, byte order marks, nonsense: one result."""
    fast, plain = both_ways(lambda: loads(body))
    assert fast == plain or {fast, plain} <= {ValueError, json.JSONDecodeError, UnicodeDecodeError}


@given(
    st.dictionaries(st.text(st.characters()), st.text(st.characters()))
    | st.dictionaries(st.text(max_size=3) | st.integers(), JSON | st.floats() | st.binary() | st.just(2**80))
)
@example({})
@example({"a": float("nan")})
@example({"a": "\ud800"})
@example({"\ud800": "a"})
@example({"a": '\x00\x1f\x7f\u2028/"\\é😀'})
def test_json_is_written_the_same(fields: dict[Any, Any]) -> None:
    """The same bytes, or the same refusal."""
    fast, plain = both_ways(lambda: dumps(fields))
    assert fast == plain


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"cut \\ud83d"', "cut \ufffd"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\xed\xa0\xbd"', "\ufffd"),
        (b'{"message_id":"m\\u0000"}', {"message_id": "m\ufffd"}),
        (b'{"a\\udE00":["\\ud83d",{"b":"\\u0000"}]}', {"a\ufffd": ["\ufffd", {"b": "\ufffd"}]}),
        ('"cut \\ud83d"'.encode("utf-16"), "cut \ufffd"),
    ],
)
def test_what_is_read_can_be_written_down(body: bytes, value: object) -> None:
    """Half a character, and NUL: a paid message's answer holds them, and every file, database and wire takes what is read."""
    fast, plain = both_ways(lambda: loads(body))
    assert fast == plain
    assert loads(body) == value


@given(st.dictionaries(st.text(), st.text()))
def test_what_was_written_is_read(fields: dict[str, str]) -> None:
    """Every text survives, compact and in UTF-8, but for NUL, which no database takes."""
    assert loads(dumps(fields)) == encodable_json(dict(fields))
    assert dumps(fields) == json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


@given(st.data())
def test_answers_are_read_the_same(data: st.DataObject) -> None:
    """From bytes to model, with the extra and without."""
    model = data.draw(st.sampled_from(ANSWERS))
    sent = {
        "resource": "x",
        "status": data.draw(st.sampled_from(["success", " Error "])),
        "data": data.draw(rows(model)),
    }
    body = json.dumps(sent).encode()
    endpoint: Endpoint[Any] = Endpoint("x", model, Effect.READ)
    fast, plain = both_ways(lambda: Codec().decode(endpoint, read_envelope(body), body))
    assert fast == plain


LISTED = [
    models.Ticket,
    *(kind for kind in ANSWERS if wire_fields(kind) and not issubclass(kind, Receipt | models.Ticket)),
]
ROW_CHANGES = [
    *[
        '"{name}":null',
        '"{name}":""',
        '"{name}":" \\t\\u00a0"',
        '"{name}":"\\u0000"',
        '"{name}":"\\ud800"',
        '"{name}":"\ud83d"',
    ],
    *[
        '"{name}":7',
        '"{name}":true',
        '"{name}":[]',
        '"{name}":{{}}',
        '"{name}":["https://a"]',
        '"more":"1"',
        '"extra":{{}}',
    ],
    *[
        '"{name}":"4.5"',
        '"{name}":" 4 "',
        '"{name}":"false"',
        '"{name}":"2026-11-22 08:15:00"',
        '"{name}":" 2026-11-22 "',
    ],
    *['"{name}":"2026-11-22T08:15:00Z"', '"{name}":"new"', '"{name}":" Ended "', '"{name}":"moon"', '"{name}":"NaN"'],
]
"""A member in place of another one, or written after it: the last one counts."""
WHOLE_LISTS = [
    *[
        '"data":[{{}},{row}]',
        '"data":[null,{row},""]',
        '"data":[[]]',
        '"data":[]',
        '"data":{{"0":{row},"2":{row}}}',
        '"data":null',
    ],
    *[
        '"data":[{row}],"message":""',
        '"data":[{row}],"message":"m"',
        '"data":[{row}],"message":7',
        '"data":[{row}],"status":"error"',
    ],
    *[
        '"data":[{row}],"data":[]',
        '"data":"","data":[{row}]',
        '"data":[{row}],"more":{{"a":[1e400]}}',
        '"data":[{row}],"resource":null',
    ],
    *['"data":[{row}]}}x', '"data":[{row}', '"data":[{row},{{"\xff":1}}]', '"message":"m"'],
]
"""The members behind the status."""


def list_bodies(names: list[str]) -> Iterator[bytes]:
    """Yield success envelopes with plain rows, and each oddity of a row in each of its fields."""
    plain = dict.fromkeys(names, '"{name}":"" ') | {names[0]: '"{name}":"1"'}

    def written(members: list[tuple[str, str]]) -> str:
        return "{" + ",".join(member.format(name=name) for name, member in members) + "}"

    row = written(list(plain.items()))
    for members in WHOLE_LISTS:
        yield f'{{"status":"success",{members.format(row=row)}}}'.encode("latin-1")
    for name in names:
        others = [pair for pair in plain.items() if pair[0] != name]
        changed = [
            others,
            *([*kept, (name, change)] for change in ROW_CHANGES for kept in (others, list(plain.items()))),
        ]
        for members in changed:
            yield f'{{"status":"success","data":[{row},{written(members)}]}}'.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("model", mostly_long(LISTED))
@pytest.mark.parametrize("zone", mostly_long(ZONES))
def test_a_list_is_read_with_its_envelope_as_it_is_read_after_it(model: type[Any], zone: ZoneInfo | None) -> None:
    """Rows without a dict each: the same envelope and rows, whatever is missing, null, twice, unknown or of another type."""
    endpoint: Endpoint[Any] = Endpoint("x", tuple[model, ...], Effect.READ)
    codec = Codec(zone)
    for body in list_bodies([field.wire for field in wire_fields(model)]):
        results: list[object] = []
        for envelope in (codec.read_envelope(endpoint, body), read_envelope(body)):
            results.append(envelope and (envelope.status, envelope.message))
            try:
                results.append(exactly(codec.decode(endpoint, envelope, body)))
            except UnreadableDataError as error:
                results.append(str(error))
        assert results[:2] == results[2:], body


def test_a_usual_list_is_read_without_dicts() -> None:
    """The rows of a plain response come with its envelope, if msgspec is there."""
    body = b'{"resource":"x","status":"success","data":[{"department_id":"d1","department_name":""}]}'
    endpoint: Endpoint[Any] = Endpoint("x", tuple[models.Department, ...], Effect.READ)
    for installed in (True, False):
        with speed(installed=installed):
            envelope = Codec().read_envelope(endpoint, body)
        assert envelope is not None
        assert isinstance(envelope.data, DecodedRows) is installed


def test_a_list_is_read_without_the_module_of_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that cannot be imported once the response has come, with too many files open, costs no outcome."""
    body = b'{"status":"success","data":[{"department_id":"d1"}]}'
    endpoint: Endpoint[Any] = Endpoint("x", tuple[models.Department, ...], Effect.READ)
    monkeypatch.setitem(sys.modules, "callsavvy_async.wire.list_decoder", None)
    assert Codec().decode_usual(endpoint, body) == (models.Department(department_id="d1"),)


def test_a_list_whose_absent_fields_are_not_null_is_read_row_by_row() -> None:
    """A struct would give such a field the value of null."""
    body = b'{"status":"success","data":[{"id":"1"}]}'

    @attrs.define
    class Odd(Model):
        id: str | None = None
        name: str | None = "none"

    endpoint: Endpoint[Any] = Endpoint("x", tuple[Odd, ...], Effect.READ)
    assert Codec().decode_usual(endpoint, body) == (Odd(id="1", name="none"),)
