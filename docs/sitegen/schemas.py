"""The JSON that the command line prints and writes, as JSON Schema, and the page that describes it.

The tables are short: a type, with "?" if the value may be null. tests/samples/test_site.py compares them with the output of
commands.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from callsavvy_async import models
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.wire.model import Model

Schema = Mapping[str, object]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _value(kind: str) -> Schema:
    name, optional = kind.rstrip("?"), kind.endswith("?")
    return {"type": [name, "null"] if optional else name}


def _object(members: Mapping[str, str | Schema], title: str = "") -> Schema:
    """Return the schema of an object that has exactly these members."""
    return {
        **({"title": title} if title else {}),
        "type": "object",
        "properties": {name: _value(kind) if isinstance(kind, str) else kind for name, kind in members.items()},
        "required": [*members],
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_COUNTS: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
_STATES = dict.fromkeys(("given", "accepted", "failed", "rejected", "unknown", "pending"), "integer")
_SUMS: Mapping[str, str | Schema] = {
    **_STATES,
    "skipped": _COUNTS,
    "requests": "integer",
    "cost": "number",
    "requests_without_cost": "integer",
    "rate_limited": "integer",
    "elapsed": "number",
    "stopped": {"enum": [*(reason.value for reason in StopReason), None]},
    "input_complete": "boolean",
    "doubtful": "integer",
}
_LEDGER = _object({"charged_once": "integer", "charged_more_than_once": "integer", "agrees": "boolean"})
_CAMPAIGN: Mapping[str, str | Schema] = {
    "name": "string",
    **_SUMS,
    **dict.fromkeys(("in_flight", "not_sent", "cancelled"), "integer"),
    "running": "boolean",
    "simulated": "boolean",
    "server": "string",
    "committed": "number",
}
_COMMAND = _object(
    {
        "number": "integer",
        "at": "number",
        "author": "string",
        "action": {"enum": ["pause", "continue", "stop", "set"]},
        "phase": {"enum": ["sending", "paused", "stopped"]},
        "limits": {"type": "object", "additionalProperties": {"type": "string"}},
    }
)
_WORKER = _object(
    {
        **dict.fromkeys(("number", "in_flight", "claimed"), "integer"),
        "name": "string",
        "began": "number",
        "ended": "number?",
        "heartbeat_age": "number",
        "alive": "boolean",
        "status": {"type": "object"},
    }
)
_SHARED_LIMIT = _object(
    {
        "requests_per_second": "number?",
        "processes": "integer",
        "shut_for": "number",
        "out_of_reach_of": _list({"type": "string"}),
    }
)
_PLAN: Mapping[str, str | Schema] = {
    "account": "string?",
    "source": "string?",
    "channel": "string",
    "sender": "string?",
    "given": "integer",
    "recipients": "integer",
    "skipped": _COUNTS,
    "columns": "string?",
    "doubtful": "integer",
    "requests": "integer",
    "most_requests": "integer",
    "segments": "integer?",
    "recipients_by_segments": _COUNTS,
    "recipients_by_encoding": _COUNTS,
    "ucs2_forced_by": _list({"type": "string"}),
    "replacements": {"type": "object", "additionalProperties": {"type": "string"}},
    "estimated_units": "number?",
    "balance": "number?",
    "affordable": "boolean?",
    "seconds": "number?",
    "texts": _list(
        _object({"why": _list({"type": "string"}), "row": "integer", "text": "string", "segments": "integer?"})
    ),
}
_ROW: Mapping[str, str | Schema] = {
    "row": "integer",
    "recipient": "string",
    "outcome": "string",
    "request": "integer?",
    "message_id": "string?",
    "detail": "string",
}


def _with_ledger(members: Mapping[str, str | Schema], title: str) -> Schema:
    """Return the schema of sums; with --simulator they have a comparison with its ledger too."""
    schema = dict(_object({**members, "ledger": _LEDGER}, title))
    return {**schema, "required": [*members]}


SCHEMAS: Mapping[str, tuple[str, Schema]] = {
    "bulk": ("`bulk ...` without `--campaign`", _with_ledger(_SUMS, "Sums of a bulk send")),
    "campaign": (
        "`bulk ... --campaign NAME`, `campaigns resume`",
        _with_ledger(_CAMPAIGN, "Sums of a campaign"),
    ),
    "campaign-show": (
        "`campaigns show`",
        _object({**_CAMPAIGN, "commands": _list(_COMMAND)}, "Sums of a campaign, and its commands"),
    ),
    "plan": ("`estimate ...`, `bulk ... --dry-run`", _object(_PLAN, "Plan of a bulk send")),
    "campaign-view": (
        "`campaigns watch`, one document a line",
        _object(
            {
                **_CAMPAIGN,
                "settled": "integer",
                **dict.fromkeys(("recipients_per_second", "seconds_left", "limit"), "number?"),
                "shared_limit": _or_null(_SHARED_LIMIT),
                "workers": _list(_WORKER),
            },
            "View of a campaign that runs",
        ),
    ),
    "steered": (
        "`campaigns pause`, `continue`, `stop` and `set`",
        _object(
            {
                "name": "string",
                **typing.cast("Mapping[str, Schema]", _COMMAND["properties"]),
                "confirmed": "boolean",
                "workers": "integer",
                "waiting": _list(_object({"name": "string", "in_flight": "integer", "until": "number?"})),
                "superseded_by": _or_null(_COMMAND),
            },
            "What became of a command",
        ),
    ),
    "report-row": (
        "a line of `--report FILE.jsonl` and of `campaigns report FILE.jsonl`",
        _object(_ROW, "Result for one recipient"),
    ),
}
"""What prints it, and its schema, by name."""


def of_model(model: type[Model]) -> Schema:
    """Return the schema of a model, as `-o json` prints it."""
    hints = typing.get_type_hints(model)
    fields = [field.name for field in attrs.fields(model) if field.name not in {"extra", "raw"}]
    properties = {name: _of_hint(hints[name]) for name in fields} | {"extra": {"type": "object"}}
    return {"title": model.__name__, "type": "object", "properties": properties, "required": fields}


def _of_hint(hint: object) -> Schema:
    """Return the schema of an annotation; `cli/output.py` prints times and words as strings."""
    if typing.get_origin(hint) is typing.Annotated:
        return _of_hint(typing.get_args(hint)[0])
    members = [*typing.get_args(hint)] if isinstance(hint, types.UnionType) else [hint]
    kind = next(member for member in members if member is not types.NoneType)
    if typing.get_origin(kind) is tuple:
        return _list({"type": "string"})
    name = next((name for base, name in _PLAIN if isinstance(kind, type) and issubclass(kind, base)), "string")
    note = {"description": _NOTES[kind]} if kind in _NOTES else {}
    return {"type": [name, "null"] if types.NoneType in members else name, **note}


_NOTES: Mapping[object, str] = {timedelta: "seconds", datetime: "YYYY-MM-DD HH:MM:SS"}
_PLAIN = ((bool, "boolean"), (int, "integer"), (float, "number"), (Decimal, "number"), (timedelta, "integer"))


def every_model() -> Iterator[type[Model]]:
    """Yield the models of the API's responses, by name."""
    for name in sorted(models.__all__):
        kind = getattr(models, name)
        if (
            isinstance(kind, type)
            and issubclass(kind, Model)
            and attrs.fields(kind)
            and name not in {"Model", "Receipt"}
        ):
            yield kind


def files() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file with a schema."""
    named = {name: schema for name, (_, schema) in SCHEMAS.items()} | {
        kind.__name__: of_model(kind) for kind in every_model()
    }
    for name, schema in named.items():
        yield name, json.dumps({"$schema": _DIALECT, **schema}, indent=2) + "\n"


def json_page() -> str:
    """Return the page of the JSON."""
    rows = (f"| {where} | [{schema['title']}](schemas/{name}.json) |" for name, (where, schema) in SCHEMAS.items())
    kinds = ", ".join(f"[{kind.__name__}](schemas/{kind.__name__}.json)" for kind in every_model())
    return f"{_INTRODUCTION}\n" + "\n".join(rows) + f"\n\n{_MODELS}\n\n{kinds}.\n"


_INTRODUCTION = """\
# JSON Schemas

Files in the dialect 2020-12 of JSON Schema, for the `result` of the [document](json.md) that `-o json` prints.

| printed by | schema |
|---|---|"""
_MODELS = """\
## What the API returns

The `result` is an object, or an array of objects, with the fields of the [models](models.md). Undocumented fields are in
`extra`. Times are strings in the account's time, and durations are seconds. Each model has a schema:"""
