"""Decode a response's data into its endpoint's return type: one model, a tuple of models, or a receipt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Any, TypeAlias, TypeVar, cast, get_args, get_origin

from callsavvy_async.wire.decoder import RowReader, row_fields, row_reader
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.field_parsers import UnreadableDataError, is_empty, rows_of, single_of
from callsavvy_async.wire.json_bytes import Json, loads
from callsavvy_async.wire.model import Model, Receipt
from callsavvy_async.wire.response import DecodedRows, Envelope, EnvelopeStatus, read_envelope

M = TypeVar("M", bound=Model)
R = TypeVar("R")

_SUCCESS = EnvelopeStatus.SUCCESS.value

_DataReader: TypeAlias = Callable[[Json, bytes], Any]
"""Reads an envelope's data. The bytes are the whole response body."""


class Codec:
    """Decodes the data of responses.

    Args:
        timezone: Zone of the API's times, which carry no zone. None leaves them naive.
    """

    def __init__(self, timezone: tzinfo | None = None) -> None:
        self._timezone = timezone
        self._by_return: dict[object, _DataReader] = {}
        self._by_model: dict[type[Model], RowReader[Model]] = {}
        self._envelopes: dict[object, Callable[[bytes], Envelope | None]] = {}
        self._usual: dict[object, Callable[[bytes], Any]] = {}

    def read_envelope(self, endpoint: Endpoint[Any], body: bytes) -> Envelope | None:
        """Parse a response as `callsavvy_async.wire.response.read_envelope` does, with the rows of a list in one pass."""
        try:
            read = self._envelopes[endpoint.returns]
        except KeyError:
            read = self._envelopes[endpoint.returns] = self._envelope_reader(endpoint.returns)
        return read(body)

    def decode(self, endpoint: Endpoint[R], envelope: Envelope | None, body: bytes) -> R:
        """Decode the data of a success response.

        Args:
            endpoint: Endpoint of the request.
            envelope: Envelope of the response. None counts as an envelope without data.
            body: Whole response body, kept on receipts.

        Raises:
            UnreadableDataError: The data has the wrong shape. Never raised for a receipt: the API has done the work, so
                the receipt holds the readable fields, possibly none.
        """
        data = None if envelope is None else envelope.data
        if type(data) is DecodedRows:
            return cast("R", data.models)
        decoded: R = self._reader(endpoint)(cast("Json", data), body)
        return decoded

    def decode_usual(self, endpoint: Endpoint[R], body: bytes) -> R | None:
        """Decode the usual success response, whose status is the very word "success".

        It skips the `Envelope` of any other response, which saves 4,000 instructions.

        Args:
            endpoint: Endpoint of the request.
            body: Whole response body.

        Returns:
            The same as `decode`; None if the response is not usual or not readable.
        """
        try:
            read = self._usual[endpoint.returns]
        except KeyError:
            read = self._usual[endpoint.returns] = self._usual_reader(endpoint)
        try:
            decoded: R | None = read(body)
        except (KeyError, ValueError, RecursionError):  # UnreadableDataError is a ValueError
            return None
        return decoded

    def _usual_reader(self, endpoint: Endpoint[object]) -> Callable[[bytes], Any]:
        decode = self._reader(endpoint)

        def read(body: bytes) -> object:
            document = loads(body)
            if type(document) is not dict or document["status"] != _SUCCESS:
                return None
            return decode(document.get("data"), body)

        def read_list(body: bytes) -> object:
            envelope = self.read_envelope(endpoint, body)
            usual = envelope is not None and envelope.status is EnvelopeStatus.SUCCESS
            return self.decode(endpoint, envelope, body) if usual else None

        return read_list if get_origin(endpoint.returns) is tuple else read

    def _reader(self, endpoint: Endpoint[object]) -> _DataReader:
        try:
            return self._by_return[endpoint.returns]
        except KeyError:
            read = self._by_return[endpoint.returns] = self._data_reader(endpoint.returns)
            return read

    def row_reader(self, model: type[M]) -> RowReader[M]:
        """Return the function that reads one object as a model. It raises UnreadableDataError for other JSON values."""
        read = self._by_model.get(model)
        if read is None:
            read = self._by_model[model] = row_reader(model, self._timezone)
        return cast("RowReader[M]", read)

    def _envelope_reader(self, returns: type[object]) -> Callable[[bytes], Envelope | None]:
        if get_origin(returns) is not tuple:
            return read_envelope
        try:
            from callsavvy_async.wire.list_decoder import list_reader  # noqa: PLC0415 - imported with the first list
        except (ImportError, OSError):  # for example too many open files; the slower way gives the same
            return read_envelope

        model = get_args(returns)[0]
        read_list = list_reader(model, row_fields(model, self._timezone))
        if read_list is None:
            return read_envelope
        return lambda body: read_list(body) or read_envelope(body)

    def _data_reader(self, returns: type[object]) -> _DataReader:
        if get_origin(returns) is tuple:
            return _read_list(self.row_reader(get_args(returns)[0]))
        if issubclass(returns, Receipt):
            return _read_receipt(self.row_reader(returns), returns)
        return _read_one(self.row_reader(cast("type[Model]", returns)))


def _read_list(read: RowReader[M]) -> _DataReader:
    def read_list(data: Json, body: bytes) -> tuple[M, ...]:
        return tuple([read(row, body) for row in rows_of(data) if (row and type(row) is dict) or not is_empty(row)])

    return read_list


def _read_one(read: RowReader[M]) -> _DataReader:
    def read_one(data: Json, body: bytes) -> M:
        return read(data if data and type(data) is dict else single_of(data), body)

    return read_one


def _read_receipt(read: RowReader[Receipt], model: type[Receipt]) -> _DataReader:
    def read_receipt(data: Json, body: bytes) -> Receipt:
        try:
            return read(data if data and type(data) is dict else single_of(data), body)
        except UnreadableDataError:
            return model(raw=body)

    return read_receipt
