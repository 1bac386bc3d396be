# SPDX-License-Identifier: Apache-2.0
"""Classes for requests and responses, and parsing of responses.

What must live here: these two classes, and the exceptions for responses that Glance would not
send. What must not: sending requests (see ``client``), and differences between v1 and v2.
"""

from __future__ import annotations

import contextlib
import dataclasses
import html
import json
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence

import requests

from glance_compat import exceptions
from glance_compat.metadata.converters import replace_surrogates
from glance_compat.redaction import quote_value, redact_text
from glance_compat.streams.streams import Upload
from glance_compat.transport import v1_headers
from glance_compat.transport.error_mapping import advice_for
from glance_compat.transport.retry import TOO_LARGE, parse_retry_after

_parse_quickly: Callable[[bytes], object] | None = None
#: The exceptions for a body that the parser rejects.
_REJECTED: tuple[type[Exception], ...] = (ValueError, RecursionError)
with contextlib.suppress(ImportError):
    import msgspec

    _decode = msgspec.json.Decoder().decode
    # Before msgspec 0.17, large integers become floats; before 0.21, its exceptions are not
    # ValueErrors.
    if isinstance(_decode(b"-9223372036854775809"), int):
        _parse_quickly, _REJECTED = _decode, (*_REJECTED, msgspec.MsgspecError)


class VersionDocumentReceived(Exception):
    """Raised for a response with status 300: the endpoint does not offer this API version.

    Glance responds to requests for a disabled API with the version document (verified on Glance
    15.0.2 and 33).
    """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to an image endpoint.

    :param method: the HTTP method.
    :param path: the percent-encoded path after the unversioned endpoint, such as "/v2/images".
    :param params: the query parameters, in order.
    :param headers: the headers, by name. Values are sent as UTF-8.
    :param json: an object to send as JSON, or None.
    :param json_type: the Content-Type of that JSON.
    :param upload: the image data to send, or None.
    :param stream: whether the body of the response is image data, which is not read immediately.
    :param success: the HTTP statuses that mean success.
    :param errors: the exception class for each HTTP status, from
        :data:`glance_compat.exceptions.STATUS_ERRORS`.
    :param image_id: the id of the image, for exceptions, or None.
    """

    method: str
    path: str
    params: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    json: object = None
    json_type: str = "application/json"
    upload: Upload | None = None
    stream: bool = False
    success: frozenset[int] = frozenset({200})
    errors: exceptions.StatusErrors = dataclasses.field(default_factory=dict)
    image_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """One response. It has been read completely, unless its body is image data.

    :param status: the HTTP status.
    :param headers: pairs of name and value, decoded as UTF-8, in order and with repeated ones.
    :param body: the body of a metadata response; empty for image data.
    :param damaged: whether there were lines between the headers that are not headers.
    :param http: the response object of the library requests.
    :param subject: the description of the request, for messages, such as "GET http://...".
    :param details: attributes of exceptions about the response (``endpoint``, ``image_id``).
    """

    status: int
    headers: v1_headers.Headers
    body: bytes
    damaged: bool
    http: requests.Response
    subject: str = "the request"
    details: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)

    def close(self) -> None:
        """Close the response. If it was not read completely, its connection is closed as well."""
        self.http.close()

    def header(self, name: str) -> str | None:
        """Return the value of the first header with this name, or None.

        :param name: the name in lower case.
        """
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def request_id(self) -> str | None:
        return checked_request_id(self.header("x-openstack-request-id"))

    def summary(self) -> str:
        """Return the status and the request id as a string for messages."""
        status = f"HTTP {self.status}"
        return status if self.request_id is None else f"{status}, request id {self.request_id}"

    def json(self) -> object:
        """Return the decoded JSON body, with U+FFFD in place of lone surrogates.

        :raises glance_compat.exceptions.BadResponse: the body is not JSON, or has too many values.
        """
        value = self.raw_json()
        if not _may_have_surrogates(self.body):
            return value
        try:
            return json.loads(replace_surrogates(json.dumps(value, ensure_ascii=False)))
        except RecursionError:
            raise self.invalid("is not JSON") from None

    def raw_json(self) -> object:
        """Return the decoded JSON body, in which strings may have lone surrogates.

        :raises glance_compat.exceptions.BadResponse: the body is not JSON, or has too many values.
        """
        # A value takes at least two bytes, with the comma or the bracket that follows it.
        if len(self.body) >= 2 * _MOST_VALUES and _count_values(self.body) > _MOST_VALUES:
            raise self.invalid(f"has more than {_MOST_VALUES} values")
        try:
            return _parse_json(self.body)
        except (ValueError, RecursionError):
            raise self.invalid("is not JSON") from None

    def json_object(self) -> dict[str, typing.Any]:
        """Return the decoded JSON body, which must be an object.

        :raises glance_compat.exceptions.BadResponse: the body is not a JSON object.
        """
        return self._as_object(self.json())

    def raw_json_object(self) -> dict[str, typing.Any]:
        """Return an object like :meth:`json_object`; its strings may have lone surrogates."""
        return self._as_object(self.raw_json())

    def _as_object(self, value: object) -> dict[str, typing.Any]:
        if not isinstance(value, dict):
            raise self.invalid("is not a JSON object")
        return value

    def object_at(self, key: str) -> dict[str, typing.Any]:
        """Return the value of a key in the JSON body, which must be an object.

        :raises glance_compat.exceptions.BadResponse: there is no such object.
        """
        value = self.json_object().get(key)
        if not isinstance(value, dict):
            raise self.invalid(f"has no object {key!r}")
        return value

    def objects_at(self, key: str) -> list[dict[str, typing.Any]]:
        """Return the value of a key in the JSON body, which must be a list of objects.

        :raises glance_compat.exceptions.BadResponse: there is no such list.
        """
        return self.objects_in(self.json_object(), key)

    def objects_in(self, body: Mapping[str, object], key: str) -> list[dict[str, typing.Any]]:
        """Return the value of a key, like :meth:`objects_at`, of a body that was decoded before.

        :raises glance_compat.exceptions.BadResponse: there is no such list.
        """
        values = body.get(key)
        if not isinstance(values, list) or not set(map(type, values)) <= {dict}:
            raise self.invalid(f"has no list of objects {key!r}")
        return values

    def records_in(self, body: Mapping[str, object]) -> list[dict[str, typing.Any]]:
        """Return the unconverted JSON objects of the images in a list.

        :param body: the decoded body; see :meth:`raw_json_object`.
        :raises glance_compat.exceptions.BadResponse: there is no list of objects with ids.
        """
        found = self.objects_in(body, "images")
        if not all(isinstance(one.get("id"), str) and one["id"] for one in found):
            raise self.invalid("has an image without an id")
        return found

    @contextlib.contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Add the request and the status of this response to a BadResponse from parsing it."""
        try:
            yield
        except exceptions.BadResponse as error:
            if error.status is not None:
                raise
            raise self.invalid(f"is not one that Glance sends: {error}") from error

    def check_image_id(self, found: str, wanted: str) -> None:
        """Raise an exception if the response is about a different image than the request.

        Case is ignored: a case-insensitive database finds an id in any case, and returns the
        stored one.

        :param found: the image id in the response.
        :param wanted: the image id in the request.
        :raises glance_compat.exceptions.BadResponse: the ids differ.
        """
        if found.lower() != wanted.lower():
            raise self.invalid(f"is about another image, {quote_value(found)}")

    def invalid(self, predicate: str) -> exceptions.BadResponse:
        """Return the exception for a response that Glance would not send.

        :param predicate: the end of a sentence that begins with "the response", for the message.
        """
        return exceptions.BadResponse(
            f"{self.subject} failed: the response {predicate} ({self.summary()})."
            f" {advice_for(exceptions.BadResponse)}",
            status=self.status,
            request_id=self.request_id,
            **self.details,
        )


def _parse_json(body: bytes) -> object:
    """Parse JSON, with msgspec if it is installed (the extra ``fast``).

    The result is that of ``json``: what msgspec rejects, such as NaN, lone surrogates and other
    encodings than UTF-8, is parsed again (verified with msgspec 0.17 to 0.22). orjson, which is
    not faster, returns floats for integers of more than 64 bits (verified with orjson 3.13).

    :raises ValueError: the body is not JSON.
    :raises RecursionError: the body is nested too deeply.
    """
    if _parse_quickly is not None:
        with contextlib.suppress(*_REJECTED):
            return _parse_quickly(body)
    return json.loads(body)


# Maximum number of values in a JSON body. A parsed value takes up to 100 times the memory of its
# JSON. Pages of Glance have at most about 100,000 values: 1,000 images (option api_limit_max).
_MOST_VALUES = 1_000_000


def _count_values(body: bytes) -> int:
    """Return an upper bound for the number of values in JSON; it counts commas in strings, too."""
    return 1 + sum(map(body.count, (b",", b"[", b"{")))


def _may_have_surrogates(body: bytes) -> bool:
    r"""Return whether strings in a JSON body may have lone surrogates.

    They come from escapes such as ``\ud800``, or from bytes that are not UTF-8, which ``json``
    accepts: surrogates that are encoded like other characters, and UTF-16 or UTF-32.
    """
    if b"\\" in body and (b"\\ud" in body or b"\\uD" in body):
        return True
    if body.isascii():
        # JSON in UTF-16 or UTF-32 without a byte order mark begins with an ASCII character.
        return b"\0" in body[:4]
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return b"\0" in body[:4]


def headers_of(response: requests.Response) -> v1_headers.Headers:
    """Return the headers of a response, decoded as UTF-8, in order and with repeated ones."""
    raw = getattr(response.raw, "headers", None)
    items = raw.items() if raw is not None else response.headers.items()
    return [
        (name, value if value.isascii() else v1_headers.from_wire(value)) for name, value in items
    ]


def checked_request_id(value: str | None) -> str | None:
    """Return the request id if it is valid, else None; a server may send control characters."""
    return value if value and re.fullmatch(r"[!-~]{1,128}", value) else None


_TAG = re.compile(r"<[^>]*>")
#: Bytes of an error's body that are read. Glance's are much shorter.
ERROR_TEXT_BYTES = 64 * 1024
_EXAMINED_CHARACTERS = 4000
_SHOWN_CHARACTERS = 300


def error_text(response: Response) -> str:
    """Return the message in an error response of Glance as one short printable line, or "".

    Glance sends JSON whose ``message`` contains HTML (verified on Glance 15.0.2 and 33). A body in
    another format comes from a proxy and may contain anything, so it is not used.
    """
    if len(response.body) > ERROR_TEXT_BYTES:
        return ""
    try:
        message = response.json_object().get("message")
    except exceptions.BadResponse:
        return ""
    if not isinstance(message, str):
        return ""
    # Cut first, because the regular expression and html.unescape are slow on long hostile text.
    text = html.unescape(_TAG.sub(" ", message[:_EXAMINED_CHARACTERS]))
    text = redact_text(text)[:_SHOWN_CHARACTERS]
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def is_from_proxy(response: Response) -> bool:
    """Return whether a 413 comes from a proxy: it has no request id and no error of Glance.

    All responses of Glance have a request id (verified on Glance 15.0.2 and 33).
    """
    is_limit = response.status == TOO_LARGE and retry_after(response.headers) is None
    return is_limit and response.request_id is None and not error_text(response)


def retry_after(headers: v1_headers.Headers) -> float | None:
    """Return the seconds to wait according to the Retry-After header of a response, or None."""
    values = {name.lower(): value for name, value in reversed(headers)}
    return parse_retry_after(values.get("retry-after"), values.get("date"))
