# SPDX-License-Identifier: Apache-2.0
"""messages with the extra ``fast``: JSON is parsed as the standard library parses it."""

from __future__ import annotations

import json
import subprocess
import sys

import hypothesis
import pytest
import requests
from hypothesis import strategies

from glance_compat.exceptions import BadResponse
from glance_compat.transport.messages import Response
from tests.cases import in_one_test

try:
    import msgspec
except ImportError:
    pytest.skip("the extra fast is not installed", allow_module_level=True)


def parsed(body: bytes) -> str:
    """Return the parsed body in repr, which distinguishes 1, 1.0, True and -0.0, or "error"."""
    response = Response(200, headers=(), body=body, damaged=False, http=requests.Response())
    try:
        return repr(response.raw_json())
    except BadResponse:
        return "error"


def parsed_by_json(body: bytes) -> str:
    try:
        return repr(json.loads(body))
    except (ValueError, RecursionError):
        return "error"


BODIES = [
    *(b"", b" ", b"{}", b" {} ", b"{}x", b"tru", b"[1,]", b'{"a":1,}', b"{'a':1}", b"\xa01"),
    *(b"NaN", b"[Infinity]", b"-Infinity", b"01", b"1.", b".5", b"-", b"--1", b"1e+", b"\x0b1"),
    *(b"-0", b"-0.0", b"[1.0]", b"1E5", b"1e400", b"1e-400", b"0.1", b"2.5e-324", b"0e99999"),
    *(b"18446744073709551615", b"18446744073709551616", b"-9223372036854775809", b"9" * 40),
    *(b"1" * 4300, b"1" * 4301, b"9" * 400 + b".0", b"100000000000000000000.5"),
    *(b'{"a":1,"a":2}', b'{"a":{"b":1},"a":{}}', b'{"":1}', b'"\\u0000"', b'"\x00"', b'"a\nb"'),
    *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'{"\\ud800":1}', b'"\\uD800A"'),
    *(b'"\xff"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}", b'"\\x"', b'"\\/"', b'"\x7f"'),
    *('{"a":"é"}'.encode(code) for code in ("utf-8", "latin-1", "utf-16", "utf-16-le", "utf-32")),
    *(b"[" * depth + b"]" * depth for depth in (2, 100, 5000)),
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
]


@in_one_test("body", BODIES, ids=[repr(body[:40]) for body in BODIES])
def test_unusual_bodies_are_parsed_as_json_parses_them(body: bytes) -> None:
    assert parsed(body) == parsed_by_json(body)


values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(strategies.characters(exclude_categories=()), max_size=8),
    lambda inner: (
        strategies.lists(inner, max_size=4)
        | strategies.dictionaries(strategies.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@hypothesis.given(value=values, is_ascii=strategies.booleans())
def test_any_value_is_parsed_as_json_parses_it(value: object, is_ascii: bool) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    assert parsed(body) == parsed_by_json(body)


@pytest.mark.slow
@hypothesis.given(
    value=values,
    place=strategies.integers(0),
    byte=strategies.sampled_from(b'[]{}",:\\/ue.-+0 9\xff\x00\ntnf'),
)
def test_damaged_body_is_parsed_as_json_parses_it(value: object, place: int, byte: int) -> None:
    body = bytearray(json.dumps(value).encode())
    body[place % len(body)] = byte
    assert parsed(bytes(body)) == parsed_by_json(bytes(body))


def test_usual_bodies_are_parsed_by_msgspec() -> None:
    program = (
        "import json, requests\n"
        "from glance_compat.transport.messages import Response\n"
        "json.loads = None\n"
        'body = b\'{"images": [{"id": "one", "size": 12345678901234567890123}]}\'\n'
        "found = Response(200, (), body, False, requests.Response()).json()\n"
        "assert found == {'images': [{'id': 'one', 'size': 12345678901234567890123}]}\n"
    )
    assert msgspec.json.decode(b"1") == 1
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
