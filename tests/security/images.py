# SPDX-License-Identifier: Apache-2.0
"""Services and responses that the security tests share."""

from __future__ import annotations

import json
import typing

import requests
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService
from glance_compat.options import Options

TOKEN = "a-very-secret-token"
PASSWORD = "a-very-secret-password"
EVIL_ID = "e0000000-0000-4000-8000-00000000000e"
VICTIM_ID = "a0000000-0000-4000-8000-00000000000a"


def service_at(
    url: str,
    http: requests.Session | None = None,
    *,
    verify: bool = True,
    **options: typing.Any,
) -> ImageService:
    """Return a service with one attempt per call, a token, and a password in its endpoint URL."""
    auth = token_endpoint.Token("http://127.0.0.1:1", TOKEN)
    session = ksa_session.Session(auth=auth, session=http, verify=verify)
    options = {"max_attempts": 1, "deadline": 20, **options}
    endpoint = url.replace("://", f"://user:{PASSWORD}@")
    return ImageService(session, endpoint_override=endpoint, options=Options(**options))


def v2_record(image_id: str, **attributes: typing.Any) -> dict[str, typing.Any]:
    """Return an image as a v2 record."""
    return {
        "id": image_id,
        "name": "image",
        "status": "active",
        "visibility": "private",
        "size": 4,
        "checksum": None,
        "container_format": "bare",
        "disk_format": "raw",
        "min_disk": 0,
        "min_ram": 0,
        "owner": "owner",
        "protected": False,
        "tags": [],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **attributes,
    }


def v1_headers(image_id: str, **attributes: str) -> list[tuple[str, str]]:
    """Return an image as v1 headers."""
    record = {
        "id": image_id,
        "name": "image",
        "status": "active",
        "is_public": "False",
        "size": "4",
        "container_format": "bare",
        "disk_format": "raw",
        "min_disk": "0",
        "min_ram": "0",
        "owner": "owner",
        "protected": "False",
        "deleted": "False",
        "created_at": "2026-01-01T00:00:00.000000",
        "updated_at": "2026-01-01T00:00:00.000000",
        **attributes,
    }
    return [(f"X-Image-Meta-{name.capitalize()}", value) for name, value in record.items()]


def response(headers: list[tuple[str, str]], body: bytes = b"", status: str = "200 OK") -> bytes:
    """Return the bytes of an HTTP response with Content-Length."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("utf-8") + body


def json_response(value: object, status: str = "200 OK") -> bytes:
    """Return the bytes of an HTTP response with a JSON body."""
    body = json.dumps(value).encode()
    return response([("Content-Type", "application/json")], body, status)
