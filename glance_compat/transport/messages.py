# SPDX-License-Identifier: Apache-2.0
"""Requests and responses as data, and how a response is parsed.

What must live here: the two halves of an exchange, and the errors about a response that Glance
would not send. What must not: sending (``client``), and anything that differs between v1 and v2.
"""

from __future__ import annotations

import contextlib
import dataclasses
import html
import json
import re
import typing
from collections.abc import Iterator, Mapping, Sequence

import requests

from glance_compat import exceptions
from glance_compat.redaction import quote_value, redact_text
from glance_compat.streams.streams import Upload
from glance_compat.transport import v1_headers
from glance_compat.transport.error_mapping import advice_for


class VersionDocumentReceived(Exception):
    """A resource returned 300: the endpoint does not offer this API, or no longer.

    Verified on Glance 15.0.2 and 33: requests to a disabled API get the version document.
    """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to an image endpoint.

    :param path: from the unversioned endpoint on, quoted ("/v2/images").
    :param params: query parameters, in order.
    :param headers: names and text; the text is sent as UTF-8.
    :param json: an object to send, or None.
    :param json_type: the content type of that object.
    :param upload: image data to send, or None.
    :param stream: leave the body unread, because it is image data.
    :param success: the HTTP statuses of success.
    :param errors: HTTP status to error, from :data:`glance_compat.exceptions.STATUS_ERRORS`.
    :param image_id: the image that errors name.
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
    """One response, read completely unless its body is image data.

    :param headers: in order, including repeated ones, as UTF-8 text.
    :param body: the bytes of a metadata response; empty for image data.
    :param damaged: the header block has lines that are not headers.
    :param http: the response of requests.
    :param subject: the request, for messages ("GET http://...").
    :param details: attributes of errors about the response (``endpoint``, ``image_id``).
    """

    status: int
    headers: v1_headers.Headers
    body: bytes
    damaged: bool
    http: requests.Response
    subject: str = "the request"
    details: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)

    def close(self) -> None:
        """Close the response, and its connection unless it was read completely."""
        self.http.close()

    def header(self, name: str) -> str | None:
        """Return the first header with a name, which is in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def request_id(self) -> str | None:
        return checked_request_id(self.header("x-openstack-request-id"))

    def summary(self) -> str:
        """Return status and request id, for messages."""
        status = f"HTTP {self.status}"
        return status if self.request_id is None else f"{status}, request id {self.request_id}"

    def json(self) -> object:
        """Parse the body.

        :raises glance_compat.exceptions.BadResponse: it is not JSON, or has too many values.
        """
        if len(self.body) > _MOST_VALUES and _count_values(self.body) > _MOST_VALUES:
            raise self.invalid(f"has more than {_MOST_VALUES} values")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise self.invalid("is not JSON") from None

    def json_object(self) -> dict[str, typing.Any]:
        """Parse the body as a JSON object.

        :raises glance_compat.exceptions.BadResponse: it is something else.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise self.invalid("is not a JSON object")
        return value

    def object_at(self, key: str) -> dict[str, typing.Any]:
        """Return the object with a key.

        :raises glance_compat.exceptions.BadResponse: there is none.
        """
        value = self.json_object().get(key)
        if not isinstance(value, dict):
            raise self.invalid(f"has no object {key!r}")
        return value

    def objects_at(self, key: str) -> list[dict[str, typing.Any]]:
        """Return the list of objects with a key.

        :raises glance_compat.exceptions.BadResponse: there is none.
        """
        values = self.json_object().get(key)
        if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
            raise self.invalid(f"has no list of objects {key!r}")
        return values

    def records(self) -> list[dict[str, typing.Any]]:
        """Return the images of a list, as the server wrote them.

        :raises glance_compat.exceptions.BadResponse: they are not objects with an id.
        """
        found = self.objects_at("images")
        if not all(isinstance(one.get("id"), str) and one["id"] for one in found):
            raise self.invalid("has an image without an id")
        return found

    @contextlib.contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Name this response in a BadResponse that parsing a part of it raises."""
        try:
            yield
        except exceptions.BadResponse as error:
            if error.status is not None:
                raise
            raise self.invalid(f"is not one that Glance sends: {error}") from error

    def check_image_id(self, found: str, wanted: str) -> None:
        """Check that the response is about the image of the request.

        Databases that ignore case find an id in any, and return their own spelling.

        :raises glance_compat.exceptions.BadResponse: it is about another image.
        """
        if found.lower() != wanted.lower():
            raise self.invalid(f"is about another image, {quote_value(found)}")

    def invalid(self, predicate: str) -> exceptions.BadResponse:
        """Return the error about a response that Glance would not send.

        :param predicate: the rest of a sentence that begins with "the response".
        """
        return exceptions.BadResponse(
            f"{self.subject} failed: the response {predicate} ({self.summary()})."
            f" {advice_for(exceptions.BadResponse)}",
            status=self.status,
            request_id=self.request_id,
            **self.details,
        )


# A small value takes up to 100 times its bytes when it is parsed. Glance's pages have at most some
# 100,000 values: 1,000 images (option api_limit_max).
_MOST_VALUES = 1_000_000


def _count_values(body: bytes) -> int:
    """Return an upper bound for the values in JSON: commas in strings count as well."""
    return 1 + sum(map(body.count, (b",", b"[", b"{")))


def headers_of(response: requests.Response) -> v1_headers.Headers:
    """Return the headers of a response in order, including repeated ones, as UTF-8 text."""
    raw = getattr(response.raw, "headers", None)
    items = raw.items() if raw is not None else response.headers.items()
    return [
        (name, value if value.isascii() else v1_headers.from_wire(value)) for name, value in items
    ]


def checked_request_id(value: str | None) -> str | None:
    """Return a request id if it is one: a foreign server may send control characters."""
    return value if value and re.fullmatch(r"[!-~]{1,128}", value) else None


_TAG = re.compile(r"<[^>]*>")
_EXAMINED_BYTES = 64 * 1024
_EXAMINED_CHARACTERS = 4000
_SHOWN_CHARACTERS = 300


def error_text(response: Response) -> str:
    """Return Glance's own words for an error as one short printable line, or "".

    Glance sends JSON whose ``message`` contains HTML (verified on Glance 15.0.2 and 33). Text in
    any other form comes from some proxy and may contain anything, so it is not repeated.
    """
    if len(response.body) > _EXAMINED_BYTES:
        return ""
    try:
        message = response.json_object().get("message")
    except exceptions.BadResponse:
        return ""
    if not isinstance(message, str):
        return ""
    # Neither the expression nor html.unescape is made for long hostile text.
    text = html.unescape(_TAG.sub(" ", message[:_EXAMINED_CHARACTERS]))
    text = redact_text(text)[:_SHOWN_CHARACTERS]
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def retry_after(response: Response) -> float | None:
    """Return the seconds of a Retry-After header; Glance never sends the form with a date."""
    value = response.header("retry-after") or ""
    return float(value) if re.fullmatch(r"[0-9]{1,6}", value) else None
