# SPDX-License-Identifier: Apache-2.0
"""Responses with missing, null, unknown or mistyped values, which Glance does not send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glance_compat import exceptions
from tests.contract.shape import EXTENDED_KEYS, KEYS
from tests.contract.targets import Target, is_open, only
from tests.contract.test_wrong_endpoint import DOCUMENT, JSON, MISSING, answering, service_at

TIME = "2020-02-03T04:05:06"
RECORD: dict[str, Any] = {"id": MISSING, "created_at": TIME, "updated_at": TIME}
ABSENT: dict[str, Any] = {
    "id": MISSING,
    "name": None,
    "status": None,
    "size": 0,
    "checksum": None,
    "container_format": None,
    "disk_format": None,
    "min_disk": 0,
    "min_ram": 0,
    "owner": None,
    "is_public": False,
    "deleted_at": None,
    "deleted": False,
    "properties": {},
}


def listed(version: str, *records: Any) -> list[dict[str, Any]]:
    """Return the result of detail() if the server returns this page for every marker."""
    body = json.dumps({"images": records}).encode()
    with answering(DOCUMENT, (200, JSON, body)) as url:
        service = service_at(url, api_version=version, extended=True)
        return [dict(image) for image in service.detail(None, limit=len(records))]


versions = pytest.mark.parametrize("version", ["1", "2"])


@versions
@pytest.mark.parametrize("given", ["missing", "null"])
def test_missing_attributes_are_absent(version: str, given: str) -> None:
    record = RECORD if given == "missing" else dict.fromkeys([*KEYS, *EXTENDED_KEYS]) | RECORD
    if version == "2":
        # Names of the contract that v2 has only as properties.
        record = {
            key: value
            for key, value in record.items()
            if key not in ("properties", "deleted", "deleted_at", "is_public")
            and key != "shadowed_properties"
        }
    (found,) = listed(version, record)
    assert {key: found[key] for key in ABSENT} == ABSENT
    assert found.keys() == KEYS.keys() | EXTENDED_KEYS.keys()


@versions
def test_unknown_attributes_do_not_leak(version: str) -> None:
    new = {"future": {"a": 1}, "futures": [1], "flag": True, "number": 7}
    (found,) = listed(version, {**RECORD, **new})
    assert found.keys() == KEYS.keys() | EXTENDED_KEYS.keys()
    assert found["properties"] == {}


@versions
@pytest.mark.parametrize("time", ["2020-02-03T04:05:06", "2020-02-03T04:05:06.999999"])
@pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
def test_time_is_read_in_every_spelling(version: str, time: str, zone: str) -> None:
    (found,) = listed(version, {**RECORD, "created_at": time + zone})
    assert found["created_at"].isoformat() == "2020-02-03T04:05:06+00:00"


@versions
@pytest.mark.parametrize(
    "record",
    [
        None,
        7,
        "text",
        [],
        {},
        {"id": None},
        {"id": 7},
        {"id": ""},
        {"name": "no id"},
        {**RECORD, "size": "many"},
        {**RECORD, "size": 1.5},
        {**RECORD, "name": 7},
        {**RECORD, "status": ["active"]},
        {**RECORD, "created_at": "yesterday"},
        {**RECORD, "min_disk": {}},
    ],
    ids=repr,
)
def test_malformed_response_is_a_bad_response(version: str, record: Any) -> None:
    with pytest.raises(exceptions.BadResponse) as caught:
        listed(version, record)
    assert "http://127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("properties", [[], "text", 7, {"a": 1}, {"a": ["b"]}])
def test_malformed_v1_properties_are_a_bad_response(properties: Any) -> None:
    with pytest.raises(exceptions.BadResponse):
        listed("1", {**RECORD, "properties": properties})


@versions
def test_endless_pages_are_a_bad_response(version: str) -> None:
    body = json.dumps({"images": [RECORD], "next": "/v2/images?marker=x"}).encode()
    with answering(DOCUMENT, (200, JSON, body)) as url:
        with pytest.raises(exceptions.BadResponse) as caught:
            service_at(url, api_version=version).detail(None)
        assert MISSING in str(caught.value)


@versions
def test_oversized_response_is_a_bad_response(version: str) -> None:
    body = json.dumps({"images": [{**RECORD, "name": "x" * 5000}]}).encode()
    with answering(DOCUMENT, (200, JSON, body)) as url:
        service = service_at(url, api_version=version, max_response_bytes=4096)
        with pytest.raises(exceptions.BadResponse) as caught:
            service.detail(None)
        assert "4096" in str(caught.value)


@only(is_open)
def test_property_above_header_limit_is_read(target: Target, name: str) -> None:
    """The headers exceed the limit of the response reader; v1's list has the property."""
    huge = "x" * (2 * 1024 * 1024)
    image_id = target.make(name=name, properties={"huge": huge, "small": "y"})
    found = target.service().show(None, image_id)
    assert found["properties"] == {"huge": huge, "small": "y"}
