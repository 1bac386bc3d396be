# SPDX-License-Identifier: Apache-2.0
"""Responses: what is read from their bodies."""

from __future__ import annotations

import json

import pytest
import requests

from glance_compat.exceptions import BadResponse
from glance_compat.transport.messages import Response

REPLACED: dict[str, object] = {
    "a": "\N{REPLACEMENT CHARACTER}x",
    "b\N{REPLACEMENT CHARACTER}": [1.5, None, {}],
}


def response(body: bytes) -> Response:
    return Response(status=200, headers=(), body=body, damaged=False, http=requests.Response())


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a": "\ud800x", "b\udfff": [1.5, null, {}]}',
        rb'{"a": "\uD800x", "b\uDFFF": [1.5, null, {}]}',
        b'{"a": "\xed\xa0\x80x", "b\xed\xbf\xbf": [1.5, null, {}]}',
        b'\xef\xbb\xbf{"a": "\xed\xa0\x80x", "b\xed\xbf\xbf": [1.5, null, {}]}',
        *(
            json.dumps({"a": "\ud800x", "b\udfff": [1.5, None, {}]}, ensure_ascii=escaped).encode(
                encoding, "surrogatepass"
            )
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")
            for escaped in (True, False)
        ),
    ],
)
def test_lone_surrogate_in_body_is_replaced(body: bytes) -> None:
    assert response(body).json() == REPLACED
    assert response(body).raw_json() == {"a": "\ud800x", "b\udfff": [1.5, None, {}]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'"\ud83d\ude00"', "\N{GRINNING FACE}"),
        ('"\N{GRINNING FACE}é"'.encode(), "\N{GRINNING FACE}é"),
        # An escaped backslash: the string has the six characters of an escape.
        (rb'"\\ud800"', r"\ud800"),
        (rb'"\ud7ff\ue000"', "\ud7ff\ue000"),
        (rb'"\n\u0000"', "\n\0"),
    ],
)
def test_string_without_lone_surrogate_is_unchanged(body: bytes, text: str) -> None:
    assert response(body).json() == response(body).raw_json() == text


def test_replaced_body_keeps_other_values() -> None:
    body = b'{"a": "\\ud800", "n": 123456789012345678901234567890, "f": 1e400, "t": true}'
    assert response(body).json_object() == {
        "a": "\N{REPLACEMENT CHARACTER}",
        "n": 123456789012345678901234567890,
        "f": float("inf"),
        "t": True,
    }


@pytest.mark.usefixtures("without_garbage")
def test_too_deep_body_with_surrogate_is_bad_response() -> None:
    body = b"[" * 100_000 + rb'"\ud800"' + b"]" * 100_000
    with pytest.raises(BadResponse, match="is not JSON"):
        response(body).json()
