# SPDX-License-Identifier: Apache-2.0
"""Run the same calls on three Glance servers and compare the results, for ``glance-compat demo``.

The servers run in this process: one offers v1, one v2, one both. Comparing the library's results
only with each other proves little. Therefore further images are written with plain HTTP requests,
if possible over the API that the library does not use, and compared with a handwritten expected
dict. The records in the servers' memory are compared too, without using an API.

What must live here: the servers, the calls, the expected results. What must not: code that prints
them (``demo``).
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
from glance_compat.cli.comparison import ANY_TIME, Difference, find_differences
from glance_compat.discovery.versions import Discovery
from glance_compat.fixture import GlanceFixture
from glance_compat.metadata import deviations
from glance_compat.options import ApiVersion, Options
from glance_compat.service import ImageService

#: The name, the APIs and the release of each server.
SERVERS = (
    ("v1 only", ("v1",), "pike"),
    ("v2 only", ("v2",), "33"),
    ("both", ("v1", "v2"), "pike"),
)

Servers = Mapping[str, GlanceFixture]


def make_service(glance: GlanceFixture, api_version: ApiVersion = "auto") -> ImageService:
    """Return an image service for an in-memory server."""
    options = Options(api_version=api_version)
    return ImageService(glance.session(), endpoint_override=glance.url, options=options)


def count_requests(glance: GlanceFixture, call: Callable[[], object]) -> tuple[object, int]:
    """Make a call and count the requests that reach the server.

    :returns: the call's result and the number of requests. If the call raises an error of this
        library, the result is the name of the error's class.
    """
    before = len(glance.requests)
    try:
        result = call()
    except exceptions.GlanceCompatError as error:
        result = type(error).__name__
    return result, len(glance.requests) - before


# ---------------------------------------------------------------------------------------------
# Create, change, read and delete an image through the library.

_MEMBER = "another-project"
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
    """The request context that the demonstration passes to the library."""

    auth_token: str = "token"  # noqa: S105 - the servers accept any string
    roles: tuple[str, ...] = ("member",)


CONTEXT = Context()


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One call that is made on every server.

    :param call: the call as shown in the output.
    :param act: a function that makes the call; its second argument is the image's id, or "" before
        the image is created.
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
        lambda service, image_id: service.add_member(CONTEXT, image_id, _MEMBER)["member_id"],
    ),
    Step("members(id)", _members),
)

#: The label of the row that compares the servers' records after :data:`STEPS`.
STORED = "record in the server's memory"

#: The calls after the comparison of records: delete the image, then look for it.
LAST_STEPS = (
    Step("delete(id)", lambda service, image_id: service.delete(CONTEXT, image_id)),
    Step("show(id) after delete", lambda service, image_id: service.show(CONTEXT, image_id)),
)

#: The attributes of a record that must be equal in every release.
_COMPARED = (
    *("name", "status", "size", "checksum", "disk_format", "container_format", "min_disk"),
    *("min_ram", "visibility", "owner", "protected", "properties", "tags", "deleted"),
)


def _read_record(glance: GlanceFixture) -> object:
    record = glance.images.get(_first_image(glance))
    if record is None:
        return "no image"
    found = {name: getattr(record, name) for name in _COMPARED}
    return found | {"data": hashlib.sha256(record.data or b"").hexdigest()}


def _first_image(glance: GlanceFixture) -> str:
    """Return the id of the image that the steps use, or "" before it is created."""
    return next(iter(glance.images), "")


def _replace_id(result: object, image_id: str) -> object:
    """Replace the image's id in a result by "the id"; each server generates its own."""
    if isinstance(result, Mapping):
        return {key: _replace_id(value, image_id) for key, value in result.items()}
    if isinstance(result, list):
        return [_replace_id(value, image_id) for value in result]
    return "the id" if result == image_id else result


# ---------------------------------------------------------------------------------------------
# Read images that were written with plain HTTP.

_TOKEN = {"X-Auth-Token": "token"}
_BYTES = {**_TOKEN, "Content-Type": "application/octet-stream"}
_NAME = "Zoë's image"
_CONTENT = b"what a disk holds"
_PROPERTIES = {"os_type": "linux", "mappings": '[{"device": "vda", "virtual": "root"}]'}

#: The dict that the library must return for an image written with plain HTTP, without its id.
EXPECTED: Mapping[str, object] = {
    "name": _NAME,
    "status": "active",
    "size": 17,
    "checksum": "d0dd1c74bdf3e237f86e06e296a25748",
    "container_format": "bare",
    "disk_format": "raw",
    "min_disk": 2,
    "min_ram": 0,
    "owner": "fixture-project",
    "is_public": False,
    "created_at": ANY_TIME,
    "updated_at": ANY_TIME,
    "deleted_at": None,
    "deleted": False,
    "properties": {"os_type": "linux", "mappings": [{"device": "vda", "virtual": "root"}]},
}


def _check(response: requests.Response) -> requests.Response:
    response.raise_for_status()
    return response


def write_over_v1(url: str, properties: Mapping[str, str] = _PROPERTIES) -> str:
    """Create an image with a plain POST to v1, and return its id."""
    meta = {
        "x-image-meta-name": _NAME.encode(),
        "x-image-meta-disk_format": b"raw",
        "x-image-meta-container_format": b"bare",
        "x-image-meta-min_disk": b"2",
        **{f"x-image-meta-property-{name}": text.encode() for name, text in properties.items()},
    }
    response = requests.post(
        f"{url}/v1/images", headers={**_BYTES, **meta}, data=_CONTENT, timeout=30
    )
    return str(_check(response).json()["image"]["id"])


def write_over_v2(url: str, properties: Mapping[str, str] = _PROPERTIES) -> str:
    """Create an image with a plain POST and a PUT to v2, and return its id."""
    record = {
        "name": _NAME,
        "disk_format": "raw",
        "container_format": "bare",
        "min_disk": 2,
        **properties,
    }
    response = requests.post(f"{url}/v2/images", headers=_TOKEN, json=record, timeout=30)
    image_id = str(_check(response).json()["id"])
    file_url = f"{url}/v2/images/{image_id}/file"
    _check(requests.put(file_url, headers=_BYTES, data=_CONTENT, timeout=30))
    return image_id


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """A check that an image written with plain HTTP is read correctly by the library.

    :param server: the name of the server in :data:`SERVERS`.
    :param written_over: the API that the plain HTTP requests use.
    :param read_over: the API that the library uses.
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
# Known deviations between v1 and v2 that a client cannot remove.


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """An example of a known deviation between v1 and v2.

    :param known: the deviation's entry in :data:`glance_compat.metadata.deviations.DEVIATIONS`.
    :param part: the part of a result that deviates, for display.
    :param over_v1: the value of that part over v1.
    :param over_v2: the value of that part over v2.
    :param read: a function that creates an image and returns that part.
    """

    known: deviations.Deviation
    part: str
    over_v1: object
    over_v2: object
    read: Callable[[ImageService, GlanceFixture], object]


_KNOWN = {one.name: one for one in deviations.DEVIATIONS}


def _read_vendor_key(service: ImageService, glance: GlanceFixture) -> object:
    image_id = write_over_v2(glance.url, {"Vendor-Key": "1"})
    return service.show(CONTEXT, image_id)["properties"]


def _read_empty_property(service: ImageService, glance: GlanceFixture) -> object:
    image_id = write_over_v1(glance.url, {"note": ""})
    return service.show(CONTEXT, image_id)["properties"]


EXAMPLES = (
    Example(
        _KNOWN["head-property-case"],
        "show(id)['properties'] of an image written over v2",
        {"vendor-key": "1"},
        {"Vendor-Key": "1"},
        _read_vendor_key,
    ),
    Example(
        _KNOWN["head-empty-property"],
        "show(id)['properties'] of an image written over v1",
        {},
        {"note": ""},
        _read_empty_property,
    ),
)

# ---------------------------------------------------------------------------------------------
# Results.


@dataclasses.dataclass(frozen=True, slots=True)
class CallResult:
    """The result of one :class:`Step`, or of the comparison of records.

    :param requests: the number of requests, by server; empty for the comparison of records.
    """

    call: str
    requests: Mapping[str, int]
    differences: Sequence[Difference]


@dataclasses.dataclass(frozen=True, slots=True)
class ReadResult:
    """The result of one :class:`Reading`."""

    reading: Reading
    requests: int
    differences: Sequence[Difference]


@dataclasses.dataclass(frozen=True, slots=True)
class ExampleResult:
    """The result of one :class:`Example`.

    :param differences: values that differ from those that the table of deviations documents.
    """

    example: Example
    differences: Sequence[Difference]


@dataclasses.dataclass(frozen=True, slots=True)
class Demonstration:
    """All results of the demonstration.

    :param discoveries: the result of version discovery, by server.
    :param image: the dict that the library returns for an image written with plain HTTP.
    """

    discoveries: Mapping[str, Discovery]
    calls: Sequence[CallResult]
    reads: Sequence[ReadResult]
    image: Mapping[str, object]
    examples: Sequence[ExampleResult]

    @property
    def differences(self) -> list[Difference]:
        """All differences that were found; empty if the demonstration succeeded."""
        rows: list[CallResult | ReadResult | ExampleResult]
        rows = [*self.calls, *self.reads, *self.examples]
        return [one for row in rows for one in row.differences]


def demonstrate(
    steps: Sequence[Step] = STEPS,
    expected: Mapping[str, object] = EXPECTED,
    examples: Sequence[Example] = EXAMPLES,
) -> Demonstration:
    """Start the servers, make the calls, and compare the results.

    :param steps: the calls to make before the image is deleted.
    :param expected: the dict that the library must return for an image written with plain HTTP.
    :param examples: the known deviations to show.
    """
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(GlanceFixture(apis=apis, release=release))
            for name, apis, release in SERVERS
        }
        services = {name: make_service(glance) for name, glance in servers.items()}
        discoveries = {name: service.discover() for name, service in services.items()}
        calls = [_run_step(step, servers, services) for step in steps]
        calls.append(_compare_records(servers))
        calls += [_run_step(step, servers, services) for step in LAST_STEPS]
        reads, images = zip(
            *(_run_reading(one, servers, expected) for one in READINGS), strict=True
        )
        shown = [_run_example(one, servers["both"]) for one in examples]
    return Demonstration(discoveries, calls, reads, images[0], shown)


def _run_step(step: Step, servers: Servers, services: Mapping[str, ImageService]) -> CallResult:
    results, requests_sent = {}, {}
    for name, glance in servers.items():
        call = partial(step.act, services[name], _first_image(glance))
        result, requests_sent[name] = count_requests(glance, call)
        results[name] = _replace_id(result, _first_image(glance))
    return CallResult(step.call, requests_sent, find_differences(step.call, results))


def _compare_records(servers: Servers) -> CallResult:
    records = {name: _read_record(glance) for name, glance in servers.items()}
    return CallResult(STORED, {}, find_differences(STORED, records))


def _run_reading(
    reading: Reading, servers: Servers, expected: Mapping[str, object]
) -> tuple[ReadResult, Mapping[str, object]]:
    glance = servers[reading.server]
    image_id = _WRITERS[reading.written_over](glance.url)
    service = make_service(glance, _PINS[reading.read_over])
    image, requests_sent = count_requests(glance, lambda: service.show(CONTEXT, image_id))
    where = f"written over {reading.written_over}, read over {reading.read_over}"
    found = find_differences(where, {"expected": {**expected, "id": image_id}, "found": image})
    return ReadResult(reading, requests_sent, found), typing.cast("Mapping[str, object]", image)


def _run_example(example: Example, glance: GlanceFixture) -> ExampleResult:
    known = {"v1": example.over_v1, "v2": example.over_v2}
    found = {
        api: count_requests(glance, partial(example.read, make_service(glance, pin), glance))[0]
        for api, pin in _PINS.items()
    }
    sides = {"known": known, "found": found}
    return ExampleResult(example, find_differences(example.known.name, sides))
