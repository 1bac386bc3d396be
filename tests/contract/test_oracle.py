# SPDX-License-Identifier: Apache-2.0
"""The library reads the same values over v2 as python-glanceclient."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Mapping
from typing import Any

import pytest

from tests.contract.population import MARK, Population, populate
from tests.contract.targets import Target, only

on_real_v2 = only(lambda kind: kind.region is not None and kind.api == "v2")

#: The base attributes in the schemas of Glance 15.0.2 and 33.
BASE = frozenset(
    {
        *("checksum", "container_format", "created_at", "direct_url", "disk_format", "file", "id"),
        *("locations", "min_disk", "min_ram", "name", "os_hash_algo", "os_hash_value"),
        *("os_hidden", "owner", "protected", "schema", "self", "size", "status", "stores"),
        *("tags", "updated_at", "virtual_size", "visibility"),
    }
)
SAME = (
    *("id", "name", "status", "checksum", "container_format", "disk_format", "min_disk"),
    *("min_ram", "owner", "protected", "virtual_size", "visibility"),
)


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def expected(record: Mapping[str, Any], *, is_33: bool) -> dict[str, Any]:
    """Return the contract's dict for an image that glanceclient has read."""
    later = ("os_hidden", "os_hash_algo", "os_hash_value")
    return {
        **{key: record[key] for key in SAME},
        **{key: record[key] if is_33 else None for key in later},
        "size": record["size"] or 0,
        "tags": sorted(record["tags"]),
        "stores": record["stores"].split(",") if record.get("stores") else None,
        "is_public": record["visibility"] == "public",
        "created_at": moment(record["created_at"]),
        "updated_at": moment(record["updated_at"]),
        "deleted_at": None,
        "deleted": False,
        "locations": record.get("locations", []),
        "direct_url": record.get("direct_url"),
        "properties": {key: value for key, value in record.items() if key not in BASE},
        "shadowed_properties": None,
    }


@pytest.fixture(scope="module")
def images(target: Target) -> Population:
    return populate(target)


@on_real_v2
@pytest.mark.parametrize("user", ["demo", "admin"])
def test_glanceclient_agrees(target: Target, images: Population, user: str) -> None:
    with warnings.catch_warnings():
        # Some of its imports are deprecated.
        warnings.simplefilter("ignore")
        from glanceclient import client

        theirs = client.Client("2", session=target.session(user), endpoint_override=target.url)
        listed = theirs.images.list(filters={MARK: images.run, "member_status": "all"})
        records = [dict(one) for one in listed]
        shown = [dict(theirs.images.get(one["id"])) for one in records]
    service = target.service(user, extended=True)
    is_33 = target.kind.release == "33"
    assert [expected(one, is_33=is_33) for one in shown] == [
        service.show(None, one["id"], include_locations=True) for one in records
    ]
    ours = service.detail(None, filters={f"property-{MARK}": images.run})
    without = ("locations", "direct_url")
    assert ours == [
        {key: value for key, value in expected(one, is_33=is_33).items() if key not in without}
        for one in records
    ]
    assert len(ours) == 10
