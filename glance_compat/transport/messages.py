# SPDX-License-Identifier: Apache-2.0
"""One request and its answer, as data; and how an answer is read.

What must live here: the two halves of an exchange and what is said of an answer that is not
Glance's. What must not: sending (``wire``), and anything that differs between v1 and v2.
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
from glance_compat.streams.streams import Upload
from glance_compat.transport import v1_headers


class VersionDocumentReceived(Exception):
    """A 300 on a resource: the endpoint does not offer the API that was spoken (any more).

    Seen on Glance 15.0.2 and 33: a disabled API is answered with the version document.
    """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to an image endpoint.

    :param path: from the unversioned endpoint on, quoted ("/v2/images").
    :param params: query parameters, in order.
    :param headers: names and text; the text goes out as UTF-8 octets.
    :param json: an object to send, or None.
    :param json_type: the content type of that object.
    :param upload: image data to send, or None.
    :param stream: leave the body unread, it is image data.
    :param tolerant: read a header block however long or damaged it is, over a private connection.
    :param success: the status, or the statuses, that say that it was done.
    :param errors: status to error, from :data:`glance_compat.exceptions.STATUS_ERRORS`.
    """

    method: str
    path: str
    params: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    json: object = None
    json_type: str = "application/json"
    upload: Upload | None = None
    stream: bool = False
    tolerant: bool = False
    success: frozenset[int] = frozenset({200})
    errors: exceptions.StatusErrors = dataclasses.field(default_factory=dict)
    image_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """What came back, read to its end unless it is image data.

    :param headers: in order, repeated ones too, as UTF-8 text.
    :param body: bytes of a metadata answer.
    :param defective: the header block has lines that are not headers.
    :param what: the request, for messages.
    :param where: what errors about it carry.
    """

    status: int
    headers: v1_headers.Headers
    body: bytes
    defective: bool
    response: requests.Response
    what: str = "the request"
    where: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The first header of a name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def request_id(self) -> str | None:
        return self.header("x-openstack-request-id")

    def json(self) -> object:
        """:raises glance_compat.exceptions.BadResponse: the body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise self.bad("is not JSON") from None

    def json_object(self) -> dict[str, typing.Any]:
        """:raises glance_compat.exceptions.BadResponse: the body is not a JSON object."""
        value = self.json()
        if not isinstance(value, dict):
            raise self.bad("is not a JSON object")
        return value

    def object_at(self, key: str) -> dict[str, typing.Any]:
        """The object of a key.

        :raises glance_compat.exceptions.BadResponse: there is none.
        """
        value = self.json_object().get(key)
        if not isinstance(value, dict):
            raise self.bad(f"has no object {key!r}")
        return value

    def objects_at(self, key: str) -> list[dict[str, typing.Any]]:
        """The list of objects of a key.

        :raises glance_compat.exceptions.BadResponse: there is none.
        """
        values = self.json_object().get(key)
        if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
            raise self.bad(f"has no list of objects {key!r}")
        return values

    def records(self) -> list[dict[str, typing.Any]]:
        """The images of a list, as the server wrote them.

        :raises glance_compat.exceptions.BadResponse: they are not objects with an id.
        """
        found = self.objects_at("images")
        if not all(isinstance(one.get("id"), str) and one["id"] for one in found):
            raise self.bad("has an image without an id")
        return found

    @contextlib.contextmanager
    def judged(self) -> Iterator[None]:
        """Say of which answer it was that could not be read."""
        try:
            yield
        except exceptions.BadResponse as error:
            if error.status is not None:
                raise
            raise self.bad(f"is not Glance's: {error}") from error

    def bad(self, how: str) -> exceptions.BadResponse:
        """The error of an answer that is not Glance's.

        :param how: the rest of the sentence that begins with "the answer".
        """
        return exceptions.BadResponse(
            f"the answer to {self.what} {how}",
            status=self.status,
            request_id=self.request_id,
            **self.where,
        )


def headers_of(response: requests.Response) -> v1_headers.Headers:
    """The headers of an answer, in order, repeated ones too, as UTF-8 text."""
    raw = getattr(response.raw, "headers", None)
    items = raw.items() if raw is not None else response.headers.items()
    return [(name, v1_headers.from_wire(value)) for name, value in items]


_TAG = re.compile(r"<[^>]*>")
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_EXPLANATION_CHARACTERS = 300


def explanation(answer: Response) -> str:
    """What Glance says of an error, as one short line of printable text.

    Only Glance's own form is repeated (JSON with ``message``, which holds HTML; seen on Glance
    15.0.2 and 33): what some proxy says is not ours to show.
    """
    try:
        said = answer.json_object().get("message")
    except exceptions.BadResponse:
        return ""
    if not isinstance(said, str):
        return ""
    text = " ".join(html.unescape(_TAG.sub(" ", said)).split())
    text = _CREDENTIALS.sub("//***@", text)[:_EXPLANATION_CHARACTERS]
    printable = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return f": {printable}" if printable else ""


def retry_after(answer: Response) -> float | None:
    """Seconds of a Retry-After header; the form with a date is not sent by Glance."""
    said = answer.header("retry-after") or ""
    return float(said) if re.fullmatch(r"[0-9]{1,6}", said) else None
