# SPDX-License-Identifier: Apache-2.0
"""Direct reads from a real Ceph in which a real Glance stores its images."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ceph import POOLS, READER
from tests.ceph.cluster import Cluster
from tests.contract.targets import USERS, Kind, Target
from tests.functional.cloud import Cloud, Layout, lifecycle, processes
from tests.functional.cloud.topology import GLANCE_33, HOST, SERVERS, Server

pytestmark = pytest.mark.functional

#: Each parallel worker has its own cluster and server.
NAME = "33-ceph" + os.environ.get("PYTEST_XDIST_WORKER", "")
#: Larger than an object of Glance's rbd store (8 MiB).
DATA = bytes(range(256)) * (36 * 1024) + b"end"
OTHER = b"a volume" * 1000


@pytest.fixture(scope="module")
def target(cluster: Cluster, cloud: Cloud) -> Iterator[Target]:
    """Provide Glance 33 with a store in the cluster, for these tests only and in no catalog."""
    server = Server(
        NAME,
        GLANCE_33,
        "image",
        data=NAME,
        overrides={
            "DEFAULT": {"enabled_backends": "ceph:rbd"},
            "glance_store": {"default_backend": "ceph"},
            "ceph": {
                "rbd_store_ceph_conf": str(cluster.conf),
                "rbd_store_user": "admin",
                "rbd_store_pool": POOLS[0],
            },
        },
        modules=(str(cluster.modules),),
    )
    outcome = lifecycle.extend(Layout.from_environment(), print, (*SERVERS, server))
    known = outcome.state.servers[NAME]
    url = f"http://{HOST}:{known.port}"
    found = Target(
        kind=Kind(NAME, "v2", "33", region=NAME),
        url=url,
        wide_url=url,
        place={"endpoint_override": url},
        prefer="2",
        connect=cloud.session,
        projects={user: cloud.project_id(user) for user in USERS},
    )
    try:
        yield found
    finally:
        found.clean()
        if known.process is not None:
            processes.stop([known.process])


def direct(cluster: Cluster) -> dict[str, Any]:
    """Return the options for direct reads from the cluster."""
    return {
        "allowed_location_schemes": (f"rbd://{cluster.fsid}/{POOLS[0]}",),
        "ceph_conf": str(cluster.conf),
        "ceph_user": READER,
    }


def asked(target: Target, image_id: str, **options: Any) -> tuple[bytes, list[str]]:
    """Return the downloaded data and the requests for it."""
    service = target.service("demo", **options)
    with target.counting() as exchanges:
        data = b"".join(service.download(None, image_id))
    return data, [one.path.partition("/images/")[2] for one in exchanges if image_id in one.path]


@pytest.mark.parametrize("verify", ["auto", "strong", "off"])
def test_allowed_download_reads_from_cluster(
    target: Target, cluster: Cluster, verify: str
) -> None:
    image_id = target.make(data=DATA)
    assert target.record(image_id)["direct_url"] == f"rbd://{cluster.fsid}/images/{image_id}/snap"
    found, requests = asked(target, image_id, verify_downloads=verify, **direct(cluster))
    assert hashlib.sha256(found).digest() == hashlib.sha256(DATA).digest()
    assert requests == [image_id]


def test_download_uses_api_unless_ceph_is_allowed(target: Target) -> None:
    image_id = target.make(data=DATA)
    found, requests = asked(target, image_id)
    assert found == DATA
    assert requests == [f"{image_id}/file"]


def test_download_falls_back_to_api_for_unreadable_cluster(
    target: Target, cluster: Cluster
) -> None:
    image_id = target.make(data=DATA)
    found, requests = asked(target, image_id, **{**direct(cluster), "ceph_user": "nobody"})
    assert found == DATA
    assert requests == [image_id, f"{image_id}/file"]


def written(target: Target, url: str) -> tuple[str, int]:
    """Create an image of demo, add a location as demo; return the id and the status."""
    image_id = target.make("demo")
    places = [{"url": url, "metadata": {}}]
    answer = target.send(
        "PATCH",
        f"/v2/images/{image_id}",
        data=json.dumps([{"op": "replace", "path": "/locations", "value": places}]),
        headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
    )
    return image_id, answer.status_code


def test_location_of_foreign_image_is_read_through_api(target: Target, cluster: Cluster) -> None:
    secret = target.make("other", data=DATA, visibility="private")
    # Glance 33 accepts the location with show_multiple_locations, and sets no checksum.
    image_id, status = written(target, f"rbd://{cluster.fsid}/images/{secret}/snap")
    assert status == 200
    found, requests = asked(target, image_id, **direct(cluster))
    # Glance itself serves this data; the library must not bypass Glance's decision.
    assert requests[:2] == [image_id, f"{image_id}/file"]
    assert found == DATA


def test_location_of_volume_is_refused(target: Target, cluster: Cluster) -> None:
    cluster.put("volumes", "volume-1", OTHER)
    # The pool belongs to no store (Glance 33, whose stores have names).
    _, status = written(target, f"rbd://{cluster.fsid}/volumes/volume-1/snap")
    assert status == 400
