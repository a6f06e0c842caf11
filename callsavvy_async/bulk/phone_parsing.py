"""Parse one phone number: by its shape, or with the numbering plans of the ``phone`` extra."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.phone_numbers import canonical, normalise_number
from callsavvy_async.phone_text import no_number, read_digits
from callsavvy_async.redaction import mask_number

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

NumberCheck: TypeAlias = Literal["shape", "possible", "valid"]
"""Check of a number: its shape (E.164), its length in its country, or its country's assigned ranges."""


def number_reader(*, region: str | None = None, validate: NumberCheck = "shape") -> Callable[[str], str]:
    """Return a function that converts a written number to ``+`` and digits, or raises `InvalidRequestError`.

    Args:
        region: ISO 3166 code of the country whose national numbers (``0803 123 4567``) are accepted; needs the ``phone``
            extra.
        validate: the check; "possible" and "valid" need the ``phone`` extra.

    Raises:
        ConfigurationError: the ``phone`` extra is not installed.
        InvalidRequestError: the region or check does not exist.
    """
    if validate not in get_args(NumberCheck):
        raise InvalidRequestError(f"validate is {validate!r}; it must be 'shape', 'possible' or 'valid'.")
    reader = normalise_number if region is None else _national_reader(region)
    return reader if validate == "shape" else _checked(reader, validate)


def _national_reader(region: str) -> Callable[[str], str]:
    _require_extra(f"region={region!r}")
    import phonenumbers  # noqa: PLC0415 - an extra

    country = region.upper()
    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidRequestError(f"region is {region!r}; it must be an ISO 3166 code of two letters, as 'NG' or 'GB'.")

    def parsed(digits: str, fits: Callable[[PhoneNumber], bool]) -> str | None:
        with suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(digits, country)
            if fits(number):
                return canonical(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), digits)
        return None

    def dialled_abroad(digits: str, text: str) -> str:
        """Read a number that begins with 00. A country code follows, or a longer prefix, as in Nigeria (009)."""
        usual = parsed(f"+{digits[2:]}", phonenumbers.is_valid_number)
        own = parsed(digits, phonenumbers.is_valid_number)
        if usual is not None and own is not None and usual != own:
            raise no_number(text, f"dialled in {country} it may mean either of two numbers; write it with '+'.")
        return own or usual or normalise_number(text)

    def read(text: str) -> str:
        if text.startswith("+") or (written := read_digits(text)).startswith("+"):
            return normalise_number(text)
        written = written.replace("(0)", "0")
        if written.startswith("00"):
            return dialled_abroad(written, text)
        # Without the national 0 it may be another country's number that lacks its plus sign.
        number = parsed(written, _is_possible if written.startswith("0") else phonenumbers.is_valid_number)
        if number is None:
            raise InvalidRequestError(
                f"{mask_number(text.strip())!r} is not a phone number of region {country}; "
                "write it as it is dialled there, or with '+' and its country code."
            )
        return number

    return read


def _checked(reader: Callable[[str], str], validate: NumberCheck) -> Callable[[str], str]:
    _require_extra(f"validate={validate!r}")
    import phonenumbers  # noqa: PLC0415 - an extra

    passes = _is_possible if validate == "possible" else phonenumbers.is_valid_number

    def read(text: str) -> str:
        number = reader(text)
        with suppress(phonenumbers.NumberParseException):
            if passes(phonenumbers.parse(number)):
                return number
        raise InvalidRequestError(
            f"{mask_number(number)!r} is not {validate} in its country's numbering plan; "
            "correct it, or use validate='shape'."
        )

    return read


def _is_possible(number: PhoneNumber) -> bool:
    """Return whether the length is valid in its country. Local numbers without an area code do not pass."""
    from phonenumbers import ValidationResult, is_possible_number_with_reason  # noqa: PLC0415 - an extra

    return is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def _require_extra(option: str) -> None:
    if find_spec("phonenumbers") is None:
        raise ConfigurationError(f"{option} needs the phone extra; run: pip install 'callsavvy-async[phone]'")
