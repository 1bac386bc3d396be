# SPDX-License-Identifier: Apache-2.0
"""What is asked: the canned server in a process of its own, or a real Glance."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks import bodies

ROOT = Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Target:
    """Where a subject finds what it works on.

    :ivar url: the endpoint, without a version.
    :ivar token: goes out as X-Auth-Token.
    :ivar image_id: an active image.
    :ivar size: bytes of its data, and of what is uploaded.
    :ivar images: images in the list.
    :ivar apis: those that the endpoint offers.
    """

    url: str
    token: str
    image_id: str
    size: int
    images: int
    apis: tuple[str, ...] = ("v1", "v2")

    def speaking(self, apis: Iterable[str]) -> Target:
        """Return the same with only some of its APIs."""
        return dataclasses.replace(self, apis=tuple(api for api in self.apis if api in apis))


def command(*arguments: str, python: str = sys.executable) -> list[str]:
    """Return a command of this package."""
    return [python, "-m", "benchmarks", *arguments]


def environment() -> dict[str, str]:
    """Return the environment of all processes: what they do is the same in each run."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}


@contextlib.contextmanager
def canned(images: int, size: int, *, awkward: bool = False) -> Iterator[Target]:
    """Start the canned server.

    :param images: images in the list.
    :param size: bytes of the data of an image.
    :param awkward: see :class:`benchmarks.bodies.Bodies`.
    """
    program = command("canned-server", "--images", str(images), "--bytes", str(size))
    program += ["--awkward"] if awkward else []
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        yield Target(url, bodies.TOKEN, bodies.image_id(0), size, images)


@contextlib.contextmanager
def real(url: str, token: str, images: int, size: int) -> Iterator[Target]:
    """Fill a real endpoint with images, and remove them afterwards.

    :param url: without a version.
    :param token: of a user who may create images.
    :param images: images to create.
    :param size: bytes of the data of one of them.
    """
    from benchmarks.subjects.plain_requests import Requests, offered

    apis = offered(url)
    empty = Target(url, token, "", size, images, apis)
    client = Requests(empty, apis[-1])
    made: list[str] = []
    try:
        made.append(client.upload_unverified())
        made.extend(client.create() for _ in range(images - 1))
        yield dataclasses.replace(empty, image_id=made[0], images=client.walk())
    finally:
        for image in made:
            client.delete(image)


def of_cloud(name: str) -> tuple[str, str]:
    """Return the unversioned image endpoint and a token of a cloud of clouds.yaml."""
    import openstack

    cloud = openstack.connect(cloud=name)
    url = cloud.session.get_endpoint(service_type="image", interface=cloud.config.get_interface())
    token = cloud.session.get_token()
    if url is None or token is None:
        raise SystemExit(f"cloud {name}: its catalog has no image endpoint, or it gave no token")
    return re.sub(r"/v[12](\.\d+)?/?$", "", url.rstrip("/")), token
