# SPDX-License-Identifier: Apache-2.0
"""The cells of README.rst's table on this library, python-glanceclient and openstacksdk.

The cells on Nova's own module are asserted in tests/nova/test_comparison.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import glanceclient
import openstack
import pytest
import requests
from glanceclient import exc
from keystoneauth1.identity import Password
from keystoneauth1.session import Session
from packaging.version import Version

from glance_compat import BoundImageService, ImageService, exceptions
from glance_compat.fixture import GlanceFixture, faults
from tests.clients.comparison import RELEASES

OLDER = [
    f"{name} {metadata.version(name)}"
    for name, release in RELEASES.items()
    if Version(metadata.version(name)) < Version(release)
]

pytestmark = [
    pytest.mark.skipif(bool(OLDER), reason=f"the table is about later releases than {OLDER}"),
    # openstacksdk itself uses functions that it deprecates.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]

FORMATS = {"disk_format": "raw", "container_format": "bare"}
DATA = bytes(300_000)
FILE = "images/*/file"


@pytest.fixture
def glance() -> Iterator[GlanceFixture]:
    """Provide a Glance 33 without images."""
    with GlanceFixture(release="33") as fixture:
        yield fixture


@pytest.fixture
def v1_only() -> Iterator[GlanceFixture]:
    """Provide a Glance 15.0.2 that offers v1 only."""
    with GlanceFixture(apis=("v1",)) as fixture:
        yield fixture


def session_of(glance: GlanceFixture) -> Session:
    """Return a session that can renew its token."""
    auth = Password(
        auth_url=glance.auth_url,
        username="demo",
        password="any",
        project_name="fixture-project",
        user_domain_id="default",
        project_domain_id="default",
    )
    return Session(auth=auth)


def ours(glance: GlanceFixture) -> BoundImageService:
    return ImageService(session_of(glance)).bound()


def glanceclients(glance: GlanceFixture, version: str = "2") -> Any:
    return glanceclient.Client(version, session=session_of(glance)).images


def openstacksdks(glance: GlanceFixture) -> Any:
    return openstack.connection.Connection(session=session_of(glance)).image


def upload_with_glanceclient(glance: GlanceFixture, data: io.BytesIO) -> None:
    """Create an image and upload its data: two calls in that library."""
    client = glanceclients(glance)
    client.upload(client.create(name="one", **FORMATS).id, data)


def stored(glance: GlanceFixture) -> list[tuple[str, int]]:
    """Return the status and the number of bytes of each image, and begin anew."""
    found = [(one.status, len(one.data or b"")) for one in glance.images.values()]
    assert glance.faults.unused == ()
    glance.reset()
    return [one for one in found if one[0] != "deleted"]


def test_cloud_that_offers_only_v1(v1_only: GlanceFixture) -> None:
    assert ours(v1_only).create({"name": "one", **FORMATS}, DATA)["status"] == "active"
    with pytest.raises(exc.HTTPMultipleChoices):
        list(glanceclients(v1_only).list())
    over_v1 = glanceclients(v1_only, "1")
    assert not hasattr(over_v1, "upload")
    assert hasattr(next(over_v1.list()), "properties")
    sdk = openstacksdks(v1_only)
    assert [one.name for one in sdk.images()] == ["one"]
    with pytest.raises((KeyError, openstack.exceptions.SDKException)):
        sdk.create_image("two", data=DATA, **FORMATS)


def test_name_with_an_accent_over_v1(v1_only: GlanceFixture) -> None:
    ours(v1_only).create({"name": "Zoë's image", **FORMATS}, DATA)
    glanceclients(v1_only, "1").create(name="Zoë's image", data=io.BytesIO(DATA), **FORMATS)
    assert [one.name for one in v1_only.images.values()] == ["Zoë's image", "Zo%C3%AB%27s%20image"]


def test_property_without_a_value(glance: GlanceFixture) -> None:
    image = ours(glance).create({"name": "one", "properties": {"note": None}})
    assert image["properties"] == {}
    with pytest.raises(TypeError):
        glanceclients(glance).create(name="two", note=None)
    with pytest.raises(openstack.exceptions.BadRequestException):
        openstacksdks(glance).create_image("three", meta={"note": None}, **FORMATS)
    assert [one.name for one in glance.images.values()] == ["one"]


@pytest.mark.slow
def test_connection_that_breaks_during_an_upload(glance: GlanceFixture) -> None:
    def interrupt() -> None:
        glance.faults.add(faults.ResetDuring(), "PUT", FILE)

    interrupt()
    ours(glance).create({"name": "one", **FORMATS}, io.BytesIO(DATA))
    assert stored(glance) == [("active", len(DATA))]
    interrupt()
    with pytest.raises(exceptions.GlanceConnectionFailed):
        ours(glance).create({"name": "one", **FORMATS}, iter([DATA]))
    assert stored(glance) == []

    interrupt()
    with pytest.raises(exc.CommunicationError):
        upload_with_glanceclient(glance, io.BytesIO(DATA))
    # Glance may not have noticed yet.
    assert stored(glance) in ([("queued", 0)], [("saving", 0)])

    interrupt()
    with pytest.raises(openstack.exceptions.SDKException):
        openstacksdks(glance).create_image("one", data=io.BytesIO(DATA), **FORMATS)
    assert stored(glance) == []


def test_token_that_expires_before_an_upload(glance: GlanceFixture) -> None:
    def expire() -> None:
        glance.faults.add(faults.ExpiredToken(), "PUT", FILE)

    expire()
    ours(glance).create({"name": "one", **FORMATS}, io.BytesIO(DATA))
    assert stored(glance) == [("active", len(DATA))]
    expire()
    with pytest.raises(exceptions.NotAuthenticated):
        ours(glance).create({"name": "one", **FORMATS}, iter([DATA]))
    assert stored(glance) == []

    expire()
    upload_with_glanceclient(glance, io.BytesIO(DATA))
    assert stored(glance) == [("active", 0)]

    expire()
    with pytest.raises(openstack.exceptions.BadRequestException):
        openstacksdks(glance).create_image("one", data=io.BytesIO(DATA), **FORMATS)
    assert stored(glance) == []
    expire()
    openstacksdks(glance).create_image("one", data=iter([DATA]), **FORMATS)
    assert stored(glance) == [("active", 0)]


def test_lost_response_to_a_creation(glance: GlanceFixture) -> None:
    def lose() -> None:
        glance.faults.add(faults.ResponseLost(), "POST", "images")

    lose()
    ours(glance).create({"name": "one", **FORMATS}, DATA)
    assert stored(glance) == [("active", len(DATA))]
    lose()
    with pytest.raises(exc.CommunicationError):
        upload_with_glanceclient(glance, io.BytesIO(DATA))
    assert stored(glance) == [("queued", 0)]
    lose()
    with pytest.raises(openstack.exceptions.SDKException):
        openstacksdks(glance).create_image("one", data=DATA, **FORMATS)
    assert stored(glance) == [("queued", 0)]


ID = "5f0a4d7c-3c5b-4b7e-9f3f-0c6f5b1c2d3e"


def test_damaged_download(glance: GlanceFixture, tmp_path: Path) -> None:
    glance.add_image({"id": ID, "data": DATA, **FORMATS})
    path = tmp_path / "disk"

    def damage() -> None:
        glance.faults.add(faults.BodyCorrupted(), "GET", FILE)

    damage()
    with pytest.raises(exceptions.IntegrityError):
        list(ours(glance).download(ID))
    damage()
    ours(glance).download(ID, dst_path=path)
    assert path.read_bytes() == DATA

    damage()
    with pytest.raises(OSError, match="Corrupt"):
        list(glanceclients(glance).data(ID))

    path.unlink()
    damage()
    with pytest.raises(openstack.exceptions.SDKException, match="checksum mismatch"):
        openstacksdks(glance).download_image(ID, output=str(path))
    assert path.read_bytes() != DATA
    damage()
    damaged = openstacksdks(glance).download_image(ID, stream=True).content
    assert damaged != DATA
    assert len(damaged) == len(DATA)
    assert glance.faults.unused == ()


def test_image_deleted_during_a_list(glance: GlanceFixture) -> None:
    def walk(images: Iterable[Any], id_of: Callable[[Any], str]) -> int:
        """Delete the second image of a list when it is read; return how many are listed."""
        count = 0
        for count, image in enumerate(images, start=1):
            if count == 2:
                assert session_of(glance).delete(f"{glance.url}/v2/images/{id_of(image)}").ok
        return count

    for number in range(9):
        glance.add_image({"name": str(number)})
    assert walk(ours(glance).iter_detail(page_size=2), itemgetter("id")) == 9
    with pytest.raises(exc.HTTPBadRequest):
        walk(glanceclients(glance).list(page_size=2), attrgetter("id"))
    with pytest.raises(openstack.exceptions.BadRequestException):
        walk(openstacksdks(glance).images(limit=2), attrgetter("id"))


def test_name_that_looks_like_an_operator(glance: GlanceFixture) -> None:
    glance.add_image({"name": "in:a,b"})
    assert len(ours(glance).detail(filters={"name": "in:a,b"})) == 1
    assert list(glanceclients(glance).list(filters={"name": "in:a,b"})) == []
    assert list(openstacksdks(glance).images(name="in:a,b")) == []


def test_html_page_instead_of_a_list(glance: GlanceFixture) -> None:
    glance.faults.add(faults.HtmlPage(), "GET", "v2/images", times=3)
    with pytest.raises(exceptions.BadResponse, match=f"{glance.url}/v2/images"):
        ours(glance).detail()
    with pytest.raises(TypeError):
        list(glanceclients(glance).list())
    with pytest.raises(requests.exceptions.JSONDecodeError):
        list(openstacksdks(glance).images())
    assert glance.faults.unused == ()
