# SPDX-License-Identifier: Apache-2.0
"""What ``glance-compat demo`` does: pure steps that return rows, nothing is printed.

Three Glance servers run in this process: one with v1 alone, one with v2 alone, one with both. The
same calls go to each. So that the library's own table is not compared with itself, other images
are written with plain HTTP requests, over the API that the library does not use where there is
one, the dict that is expected of them is written out by hand, and what the servers hold in the
end is looked at behind their APIs.

What must live here: the servers, the calls, what is expected. What must not: how it is shown.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import requests

from glance_compat import exceptions
from glance_compat.cli.comparing import A_TIME, Difference, differences
from glance_compat.discovery.versions import Discovery
from glance_compat.fixture import GlanceFixture
from glance_compat.metadata import deviations
from glance_compat.options import ApiVersion, Options
from glance_compat.service import ImageService

#: Name, APIs and release of the servers.
SERVERS = (
    ("v1 only", ("v1",), "pike"),
    ("v2 only", ("v2",), "33"),
    ("both", ("v1", "v2"), "pike"),
)

Servers = Mapping[str, GlanceFixture]


def service_on(glance: GlanceFixture, api_version: ApiVersion = "auto") -> ImageService:
    """The library in front of a server."""
    options = Options(api_version=api_version)
    return ImageService(glance.session(), endpoint_override=glance.url, options=options)


def counted(glance: GlanceFixture, call: Callable[[], object]) -> tuple[object, int]:
    """Make a call; an error of the library is a result too.

    :returns: the result, and how many requests reached the server.
    """
    before = len(glance.requests)
    try:
        result = call()
    except exceptions.GlanceCompatError as error:
        result = type(error).__name__
    return result, len(glance.requests) - before


# ---------------------------------------------------------------------------------------------
# The life of an image through the library.

_FRIEND = "project-of-a-friend"
_DATA = bytes(range(256)) * 256
_META: Mapping[str, object] = {
    "name": "café 100%",
    "disk_format": "raw",
    "container_format": "bare",
    "min_disk": 1,
    "min_ram": 64,
    "properties": {"os_type": "linux", "hw_disk_bus": "virtio"},
}


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """Who calls, as a service's request context says it."""

    auth_token: str = "token"  # noqa: S105 - any text is one, the servers are in memory
    roles: tuple[str, ...] = ("member",)


CONTEXT = Context()


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One call, made alike on every server.

    :param call: as a reader of Python would write it, roughly.
    :param act: makes it, with the image's id (empty before there is one).
    """

    call: str
    act: Callable[[ImageService, str], object]


def _bus(bus: str) -> dict[str, object]:
    return {"properties": {"hw_disk_bus": bus}}


def _download(service: ImageService, image_id: str) -> str:
    return hashlib.sha256(b"".join(service.download(CONTEXT, image_id))).hexdigest()


def _members(service: ImageService, image_id: str) -> list[str]:
    return [member["member_id"] for member in service.members(CONTEXT, image_id)]


STEPS = (
    Step("create(meta, data)", lambda service, _: service.create(CONTEXT, _META, _DATA)),
    Step("show(id)", lambda service, image_id: service.show(CONTEXT, image_id)),
    Step(
        "update(id, meta, purge_props=False)",
        lambda service, image_id: service.update(
            CONTEXT, image_id, _bus("scsi"), purge_props=False
        ),
    ),
    Step(
        "update(id, meta)",
        lambda service, image_id: service.update(CONTEXT, image_id, _bus("ide")),
    ),
    Step(
        "detail(filters={property: value})",
        lambda service, _: service.detail(CONTEXT, filters={"property-hw_disk_bus": "ide"}),
    ),
    Step("download(id)", _download),
    Step(
        "add_member(id, project_id)",
        lambda service, image_id: service.add_member(CONTEXT, image_id, _FRIEND)["member_id"],
    ),
    Step("members(id)", _members),
)

#: What the servers hold after these steps, behind their APIs.
BEHIND = "what the server holds then"

#: The end of the image.
LAST_STEPS = (
    Step("delete(id)", lambda service, image_id: service.delete(CONTEXT, image_id)),
    Step("show(id), deleted", lambda service, image_id: service.show(CONTEXT, image_id)),
)

#: Of a record, all that does not depend on the release.
_HELD = (
    *("name", "status", "size", "checksum", "disk_format", "container_format", "min_disk"),
    *("min_ram", "visibility", "owner", "protected", "properties", "tags", "deleted"),
)


def _held(glance: GlanceFixture) -> object:
    record = glance.images.get(_only_image(glance))
    if record is None:
        return "no image"
    held = {name: getattr(record, name) for name in _HELD}
    return held | {"data": hashlib.sha256(record.data or b"").hexdigest()}


def _only_image(glance: GlanceFixture) -> str:
    """The id of the image that this is about, the first that the server got."""
    return next(iter(glance.images), "")


def _neutral(result: object, image_id: str) -> object:
    """A result without the id, which each server chooses for itself."""
    if isinstance(result, Mapping):
        return {key: _neutral(value, image_id) for key, value in result.items()}
    if isinstance(result, list):
        return [_neutral(value, image_id) for value in result]
    return "its id" if result == image_id else result


# ---------------------------------------------------------------------------------------------
# Images of others, written with plain HTTP.

_TOKEN = {"X-Auth-Token": "token"}
_OCTETS = {**_TOKEN, "Content-Type": "application/octet-stream"}
_OTHERS_NAME = "Zoë's image"
_OTHERS_DATA = b"what a disk holds"
_OTHERS_PROPERTIES = {"os_type": "linux", "mappings": '[{"device": "vda", "virtual": "root"}]'}

#: How the library must show such an image; its id is the server's choice.
EXPECTED: Mapping[str, object] = {
    "name": _OTHERS_NAME,
    "status": "active",
    "size": 17,
    "checksum": "d0dd1c74bdf3e237f86e06e296a25748",
    "container_format": "bare",
    "disk_format": "raw",
    "min_disk": 2,
    "min_ram": 0,
    "owner": "fixture-project",
    "is_public": False,
    "created_at": A_TIME,
    "updated_at": A_TIME,
    "deleted_at": None,
    "deleted": False,
    "properties": {"os_type": "linux", "mappings": [{"device": "vda", "virtual": "root"}]},
}


def _answered(answer: requests.Response) -> requests.Response:
    answer.raise_for_status()
    return answer


def write_over_v1(url: str, properties: Mapping[str, str] = _OTHERS_PROPERTIES) -> str:
    """Make an image with a plain POST to v1, and return its id."""
    meta = {
        "x-image-meta-name": _OTHERS_NAME.encode(),
        "x-image-meta-disk_format": b"raw",
        "x-image-meta-container_format": b"bare",
        "x-image-meta-min_disk": b"2",
        **{f"x-image-meta-property-{name}": text.encode() for name, text in properties.items()},
    }
    answer = requests.post(
        f"{url}/v1/images", headers={**_OCTETS, **meta}, data=_OTHERS_DATA, timeout=30
    )
    return str(_answered(answer).json()["image"]["id"])


def write_over_v2(url: str, properties: Mapping[str, str] = _OTHERS_PROPERTIES) -> str:
    """Make an image with a plain POST and a PUT to v2, and return its id."""
    record = {
        "name": _OTHERS_NAME,
        "disk_format": "raw",
        "container_format": "bare",
        "min_disk": 2,
        **properties,
    }
    answer = requests.post(f"{url}/v2/images", headers=_TOKEN, json=record, timeout=30)
    image_id = str(_answered(answer).json()["id"])
    file_url = f"{url}/v2/images/{image_id}/file"
    _answered(requests.put(file_url, headers=_OCTETS, data=_OTHERS_DATA, timeout=30))
    return image_id


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """An image of others, and over which API the library reads it.

    :param server: the name of the server.
    :param written_over: "v1" or "v2", in plain HTTP.
    :param read_over: "v1" or "v2", by the library.
    """

    server: str
    written_over: typing.Literal["v1", "v2"]
    read_over: typing.Literal["v1", "v2"]


READINGS = (
    Reading("both", "v1", "v2"),
    Reading("both", "v2", "v1"),
    Reading("v1 only", "v1", "v1"),
    Reading("v2 only", "v2", "v2"),
)
_WRITERS = {"v1": write_over_v1, "v2": write_over_v2}
_PINS: Mapping[str, ApiVersion] = {"v1": "1", "v2": "2"}

# ---------------------------------------------------------------------------------------------
# Known deviations: what no library can even out.


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """A known deviation at work.

    :param known: its row in the table of all deviations.
    :param part: which part of which result.
    :param look: that part, from the service that is given.
    """

    known: deviations.Deviation
    part: str
    over_v1: object
    over_v2: object
    look: Callable[[ImageService, GlanceFixture], object]


_KNOWN = {one.name: one for one in deviations.DEVIATIONS}


def _vendor_key(service: ImageService, glance: GlanceFixture) -> object:
    image_id = write_over_v2(glance.url, {"Vendor-Key": "1"})
    return service.show(CONTEXT, image_id)["properties"]


def _empty(service: ImageService, glance: GlanceFixture) -> object:
    image_id = write_over_v1(glance.url, {"note": ""})
    return service.show(CONTEXT, image_id)["properties"]


EXAMPLES = (
    Example(
        _KNOWN["head-property-case"],
        "show(id)['properties'] of an image that v2 wrote",
        {"vendor-key": "1"},
        {"Vendor-Key": "1"},
        _vendor_key,
    ),
    Example(
        _KNOWN["head-empty-property"],
        "show(id)['properties'] of an image that v1 wrote",
        {},
        {"note": ""},
        _empty,
    ),
)

# ---------------------------------------------------------------------------------------------
# The rows.


@dataclasses.dataclass(frozen=True, slots=True)
class Called:
    """A call of the image's life.

    :param requests: how many each server got; empty for a look behind the APIs.
    """

    call: str
    requests: Mapping[str, int]
    differences: Sequence[Difference]


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """An image of others that the library has read."""

    reading: Reading
    requests: int
    differences: Sequence[Difference]


@dataclasses.dataclass(frozen=True, slots=True)
class Deviated:
    """A known deviation; differences: what is not as it is known."""

    example: Example
    differences: Sequence[Difference]


@dataclasses.dataclass(frozen=True, slots=True)
class Demonstration:
    """All that the demo found out.

    :param discoveries: by server.
    :param image: an image of others, as the library shows it.
    """

    discoveries: Mapping[str, Discovery]
    called: Sequence[Called]
    read: Sequence[Read]
    image: Mapping[str, object]
    deviated: Sequence[Deviated]

    @property
    def differences(self) -> list[Difference]:
        """Everything that should be equal and is not."""
        rows: list[Called | Read | Deviated] = [*self.called, *self.read, *self.deviated]
        return [one for row in rows for one in row.differences]


def demonstrate(
    steps: Sequence[Step] = STEPS,
    expected: Mapping[str, object] = EXPECTED,
    examples: Sequence[Example] = EXAMPLES,
) -> Demonstration:
    """Start the servers, make the calls, compare.

    :param steps: the calls of the image's life, up to its end.
    :param expected: the dict of an image of others.
    :param examples: what must differ, and how.
    """
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(GlanceFixture(apis=apis, release=release))
            for name, apis, release in SERVERS
        }
        services = {name: service_on(glance) for name, glance in servers.items()}
        discoveries = {name: service.discover() for name, service in services.items()}
        called = [_called(step, servers, services) for step in steps]
        called.append(_behind(servers))
        called += [_called(step, servers, services) for step in LAST_STEPS]
        read, images = zip(*(_read(one, servers, expected) for one in READINGS), strict=True)
        deviated = [_deviated(one, servers["both"]) for one in examples]
    return Demonstration(discoveries, called, read, images[0], deviated)


def _called(step: Step, servers: Servers, services: Mapping[str, ImageService]) -> Called:
    results, spent = {}, {}
    for name, glance in servers.items():
        call = partial(step.act, services[name], _only_image(glance))
        result, spent[name] = counted(glance, call)
        results[name] = _neutral(result, _only_image(glance))
    return Called(step.call, spent, differences(step.call, results))


def _behind(servers: Servers) -> Called:
    held = {name: _held(glance) for name, glance in servers.items()}
    return Called(BEHIND, {}, differences(BEHIND, held))


def _read(
    reading: Reading, servers: Servers, expected: Mapping[str, object]
) -> tuple[Read, Mapping[str, object]]:
    glance = servers[reading.server]
    image_id = _WRITERS[reading.written_over](glance.url)
    service = service_on(glance, _PINS[reading.read_over])
    image, spent = counted(glance, lambda: service.show(CONTEXT, image_id))
    where = f"written over {reading.written_over}, read over {reading.read_over}"
    found = differences(where, {"expected": {**expected, "id": image_id}, "found": image})
    return Read(reading, spent, found), typing.cast("Mapping[str, object]", image)


def _deviated(example: Example, glance: GlanceFixture) -> Deviated:
    known = {"v1": example.over_v1, "v2": example.over_v2}
    found = {
        api: counted(glance, partial(example.look, service_on(glance, pin), glance))[0]
        for api, pin in _PINS.items()
    }
    return Deviated(example, differences(example.known.name, {"known": known, "found": found}))
