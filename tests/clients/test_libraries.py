# SPDX-License-Identifier: Apache-2.0
"""Python client libraries of Glance, over HTTP to ``glance-compat serve``."""

from __future__ import annotations

import hashlib
import io

import glanceclient
import openstack
import pytest
from glanceclient import exc

from glance_compat.fixture import GlanceFixture
from tests.clients.serving import Served

# The servers are programs.
pytestmark = pytest.mark.slow

DATA = b"what a disk holds" * 10000
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
FORMATS = {"disk_format": "raw", "container_format": "bare"}


def test_glanceclient_completes_v1_life_cycle(pike: Served, name: str) -> None:
    client = glanceclient.Client("1", session=pike.session())
    made = client.images.create(
        name=name, data=io.BytesIO(DATA), properties={"os_type": "linux"}, min_ram=3, **FORMATS
    )
    assert (made.status, made.size, made.checksum) == ("active", len(DATA), MD5)
    assert made.min_ram == 3
    assert [one.id for one in client.images.list(filters={"name": name})] == [made.id]
    assert client.images.get(made.id).properties == {"os_type": "linux"}
    changed = client.images.update(made.id, properties={"a": "b"}, purge_props=True)
    assert changed.properties == {"a": "b"}
    assert b"".join(client.images.data(made.id)) == DATA
    client.image_members.create(made.id, "other", can_share=True)
    assert [one.member_id for one in client.image_members.list(image=made.id)] == ["other"]
    other = glanceclient.Client("1", session=pike.session(project_name="other"))
    assert other.images.get(made.id).owner == "fixture-project"
    client.images.delete(made.id)
    with pytest.raises(exc.HTTPNotFound):
        client.images.get("00000000-0000-0000-0000-000000000000")


def test_glanceclient_completes_v2_life_cycle(served: Served, name: str) -> None:
    client = glanceclient.Client("2", session=served.session())
    made = client.images.create(name=name, os_type="linux", tags=["one"], **FORMATS)
    assert made.status == "queued"
    client.images.upload(made.id, io.BytesIO(DATA))
    shown = client.images.get(made.id)
    assert (shown.status, shown.size, shown.checksum) == ("active", len(DATA), MD5)
    assert [one.id for one in client.images.list(filters={"name": name})] == [made.id]
    assert b"".join(client.images.data(made.id)) == DATA
    changed = client.images.update(made.id, remove_props=["os_type"], a="b")
    assert (changed.get("os_type"), changed.a) == (None, "b")
    client.image_tags.update(made.id, "two")
    assert set(client.images.get(made.id).tags) == {"one", "two"}
    _share(client, served, made.id)
    admin = glanceclient.Client("2", session=served.session(username="admin"))
    admin.images.deactivate(made.id)
    with pytest.raises(exc.HTTPForbidden):
        client.images.data(made.id)
    admin.images.reactivate(made.id)
    client.images.delete(made.id)
    with pytest.raises(exc.HTTPNotFound):
        client.images.get(made.id)


def _share(client: glanceclient.Client, served: Served, image_id: str) -> None:
    other = glanceclient.Client("2", session=served.session(project_name="other"))
    client.image_members.create(image_id, "other")
    other.image_members.update(image_id, "other", "accepted")
    [member] = client.image_members.list(image_id)
    assert (member.member_id, member.status) == ("other", "accepted")
    assert image_id in {one.id for one in other.images.list(filters={"visibility": "shared"})}


# openstacksdk itself uses functions that it deprecates.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_openstacksdk_completes_life_cycle(
    served: Served, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(served.clouds_yaml))
    with openstack.connect("glance-compat") as cloud:
        made = cloud.image.create_image(
            name, data=DATA, disable_vendor_agent=True, wait=True, timeout=60, **FORMATS
        )
        shown = cloud.image.get_image(made.id)
        assert (shown.status, shown.size) == ("active", len(DATA))
        assert cloud.image.find_image(name, ignore_missing=False).id == made.id
        changed = cloud.image.update_image(made.id, architecture="x86_64", min_ram=3)
        assert (changed.architecture, changed.min_ram) == ("x86_64", 3)
        cloud.image.add_tag(made.id, "one")
        assert [one.id for one in cloud.image.images(name=name, tag="one")] == [made.id]
        cloud.image.add_member(made.id, member="other")
        assert [one.member_id for one in cloud.image.members(made.id)] == ["other"]
        assert cloud.image.download_image(made.id).content == DATA
        streamed = cloud.image.download_image(made.id, stream=True)
        assert b"".join(streamed.iter_content(7000)) == DATA
        assert [one.name for one in cloud.identity.projects(name="other")] == ["other"]
        cloud.image.delete_image(made.id, ignore_missing=False)
        assert list(cloud.image.images(name=name)) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_openstacksdk_finds_a_prefix_with_a_public_endpoint() -> None:
    with GlanceFixture(release="33", prefix="/image", config={"public_endpoint": True}) as glance:
        cloud = openstack.connection.Connection(
            session=glance.session(), image_endpoint_override=glance.url
        )
        made = cloud.image.create_image(
            "prefixed", disk_format="raw", container_format="bare", data=DATA
        )
        assert cloud.image.download_image(made.id).content == DATA
        assert [one.id for one in cloud.image.images(name="prefixed")] == [made.id]
        assert all(request.path.startswith("/image") for request in glance.requests)
