# SPDX-License-Identifier: Apache-2.0
"""The recorded and the embedded metadata definitions match those of real servers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from requests import Response

from glance_compat.fixture import GlanceFixture
from tests.functional.cloud import Cloud, Layout
from tests.functional.cloud.topology import GLANCE_33, GLANCE_PIKE
from tests.unit.fixture import definitions, test_definitions

pytestmark = pytest.mark.functional


@pytest.mark.parametrize("release", ["pike", "33"])
def test_real_servers_respond_as_recorded(cloud: Cloud, release: str) -> None:
    recorded = json.loads(definitions.RECORDINGS.read_text())[release]
    assert definitions.play(definitions.real(cloud, release)) == recorded


@pytest.mark.parametrize(
    ("release", "environment"), [("pike", GLANCE_PIKE), ("33", GLANCE_33)], ids=["pike", "33"]
)
def test_definitions_of_files_are_those_that_glance_loads(
    cloud: Cloud, release: str, environment: str
) -> None:
    shipped = Layout.from_environment().environment(environment) / "etc/glance/metadefs"
    names = {json.loads(file.read_text())["namespace"] for file in shipped.glob("*.json")}
    real = definitions.real(cloud, release)
    with GlanceFixture(release=release, sockets=False, definitions=shipped) as glance:
        embedded = test_definitions.sender(glance)
        for user in (definitions.ADMIN, definitions.MEMBER):
            found = [_definitions(send, user, names) for send in (embedded, real)]
            assert len(found[0]["namespaces"]) > 25
            assert found[0] == found[1], user


def _definitions(send: definitions.Send, user: str, names: set[str]) -> dict[str, Any]:
    """Return what a user gets of these namespaces, without times.

    Glance loads the files in the order of the folder, so the order of namespaces and of entries is
    not compared. Other tests may create namespaces and resource types at the same time.
    """
    path = "/v2/metadefs/namespaces"
    private = send(user, "GET", f"{path}?visibility=private", None).json()["namespaces"]
    listed = send(user, "GET", f"{path}?limit=1000", None).json()["namespaces"]
    found = {one["namespace"]: _unordered(one) for one in listed if one["namespace"] in names}
    types = send(user, "GET", "/v2/metadefs/resource_types", None).json()["resource_types"]
    return {
        "namespaces": found,
        "private": [one for one in private if one["namespace"] in names],
        "whole": {name: _unordered(send(user, "GET", f"{path}/{name}", None)) for name in names},
        "types": {one["name"] for one in types if one["name"].startswith("OS::")},
    }


def _unordered(value: Any) -> Any:
    if isinstance(value, Response):
        return _unordered(value.json()) if value.status_code == 200 else value.status_code
    if isinstance(value, dict):
        return {
            name: _unordered(one)
            for name, one in value.items()
            if name not in ("created_at", "updated_at")
        }
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return {one["name"]: _unordered(one) for one in value}
    return value
