# SPDX-License-Identifier: Apache-2.0
"""One service in many threads and in forked processes."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import random
from collections.abc import Iterator

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture
from tests.faults.calls import APIS, FORMATS, Api

THREADS = 16
CALLS = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 300


def data_of(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest() * 5


def id_of(number: int) -> str:
    return f"bbbbbbbb-0000-4000-8000-{number:012}"


IMAGES = [
    {
        "id": id_of(number),
        "name": f"image {number}",
        "data": data_of(number),
        "properties": {"number": str(number)},
        **FORMATS,
    }
    for number in range(20)
]


@pytest.fixture(params=APIS)
def glance(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    api: Api = request.param
    with GlanceFixture((api,), images=IMAGES, fault_injection=False) as fixture:
        yield fixture


def one_call(service: ImageService, seed: int) -> None:
    """Make one call, and check its result, which is independent of other calls."""
    chance = random.Random(seed)  # noqa: S311 - a choice, not a secret
    number = chance.randrange(len(IMAGES))
    kind = chance.choice(["show", "show", "download", "list", "life", "missing"])
    if kind == "show":
        found = service.show(None, id_of(number))
        assert (found["id"], found["name"]) == (id_of(number), f"image {number}")
        assert found["properties"] == {"number": str(number)}
    elif kind == "download":
        assert b"".join(service.download(None, id_of(number))) == data_of(number)
    elif kind == "list":
        [found] = service.detail(None, filters={"name": f"image {number}"})
        assert found["id"] == id_of(number)
    elif kind == "life":
        life(service, seed)
    else:
        with pytest.raises(exceptions.ImageNotFound):
            service.show(None, id_of(10**6 + seed))


def life(service: ImageService, seed: int) -> None:
    made = service.create(None, {"name": f"of {seed}", **FORMATS}, data=data_of(seed))
    changed = service.update(None, made["id"], {"properties": {"by": str(seed)}})
    assert (changed["name"], changed["properties"]) == (f"of {seed}", {"by": str(seed)})
    assert b"".join(service.download(None, made["id"])) == data_of(seed)
    assert service.delete(None, made["id"]) is True


@pytest.mark.slow
def test_threads_get_their_own_responses(glance: GlanceFixture) -> None:
    service = ImageService(glance.session(), options=Options(max_attempts=2))
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        calls = [pool.submit(one_call, service, seed) for seed in range(CALLS)]
        for call in calls:
            call.result(timeout=120)
    live = {image.id for image in glance.images.values() if image.status != "deleted"}
    assert live == {str(image["id"]) for image in IMAGES}


@pytest.mark.slow
def test_forked_process_gets_its_own_responses(glance: GlanceFixture) -> None:
    service = ImageService(glance.session())
    service.show(None, id_of(0))
    children = [_forked(service, seed) for seed in range(4)]
    for seed in range(30):
        one_call(service, 1000 + seed)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)


def _forked(service: ImageService, seed: int) -> int:
    """Fork a process that makes calls; it exits with 0 if all results are correct."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        for number in range(10):
            one_call(service, 100 * seed + number)
        status = 0
    finally:
        os._exit(status)
