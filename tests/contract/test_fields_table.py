# SPDX-License-Identifier: Apache-2.0
"""Writable attributes in FIELDS: every API version stores or refuses a value, never drops it.

Every writable row is written over v1 and over every minor version of v2. The server is the
embedded Glance of the oldest release that offers the version; its version document ends there.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

import glance_compat
from glance_compat import ImageService, Options, exceptions
from glance_compat.discovery.cache import DISCOVERY_CACHE
from glance_compat.fixture import GlanceFixture
from glance_compat.fixture.faults.rules import Faults
from glance_compat.fixture.servers.mounted import MountedServer
from glance_compat.metadata.fields import FIELDS, Access
from tests.cases import check_each

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Version = tuple[int, int]
Meta = dict[str, Any]

DATA = b"the data of an image"
SOURCE = "http://source.invalid/data"
FORMATS: Meta = {"disk_format": "raw", "container_format": "bare"}
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
IMAGE_ID = str(uuid.UUID(int=7))

V1: Version = (1, 1)
V2_VERSIONS: tuple[Version, ...] = tuple((2, minor) for minor in range(18))

#: The release that offers no newer version than these; the last one for all others.
_RELEASES = (
    (2, "icehouse"),
    (3, "kilo"),
    (4, "newton"),
    (5, "pike"),
    (7, "rocky"),
    (9, "train"),
    (15, "yoga"),
)


def release_of(version: Version) -> str:
    if version == V1:
        return "pike"
    return next((name for newest, name in _RELEASES if version[1] <= newest), "33")


def ending_at(
    version: Version, application: WSGIApplication, documents: list[str]
) -> WSGIApplication:
    """Return an application whose version document ends at a version.

    :param documents: a list that gets an entry for each served document.
    """

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in ("", "/"):
            return application(environ, start_response)
        documents.append(environ["PATH_INFO"])
        ids = [f"v2.{minor}" for minor in range(version[1], -1, -1)]
        document = {"versions": [{"id": one, "status": "SUPPORTED"} for one in ids]}
        start_response("300 Multiple Choices", [("Content-Type", "application/json")])
        return [json.dumps(document).encode()]

    return serve


@dataclasses.dataclass(frozen=True)
class Server:
    """An embedded Glance of one version, and the library in front of it.

    :param documents: has an entry for each version document that was fetched.
    """

    version: Version
    glance: GlanceFixture
    service: ImageService
    documents: list[str]

    def written(self) -> list[str]:
        return [one.method for one in self.glance.requests if one.method not in ("GET", "HEAD")]


def start(version: Version, **options: Any) -> Iterator[Server]:
    release = release_of(version)
    config: dict[str, Any] = {"show_multiple_locations": True}
    if version >= (2, 8):
        config["enabled_backends"] = ["fast", "slow", "web:http"]
    with GlanceFixture(
        release=release,
        sockets=False,
        config=config,
        sources={SOURCE: DATA},
    ) as glance:
        session = glance.session("admin:admin:admin")
        documents: list[str] = []
        if version != V1:
            front = MountedServer(ending_at(version, glance.application, documents), Faults())
            assert isinstance(session.session, requests.Session)
            front.mount(session.session, glance.url + "/")
        DISCOVERY_CACHE.forget(glance.url)
        chosen = Options(**{"prefer": str(version[0]), "extended": True, **options})
        service = ImageService(session, endpoint_override=glance.url, options=chosen)
        found = service.discover()
        assert found.version in (version, (version[0], None))
        yield Server(version, glance, service, documents)


@pytest.fixture(
    params=(V1, *V2_VERSIONS), ids=lambda version: f"v{version[0]}.{version[1]}", scope="module"
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from start(request.param)


@dataclasses.dataclass(frozen=True)
class Sample:
    """A value other than the default of its attribute.

    :param meta: other metadata that the call requires.
    :param stored: reads the value from the server's own record.
    :param v1: whether v1 stores it; None: covered by another test.
    :param since: the first minor version of v2 that stores it; None: no version does.
    :param data: whether data is passed.
    :param create: whether the row is for create().
    :param update: whether the row is for update() of a queued image.
    """

    name: str
    value: Any
    stored: Callable[[Any], Any]
    meta: Meta = dataclasses.field(default_factory=dict)
    v1: bool | None = True
    since: Version | None = (2, 0)
    data: bool = False
    create: bool = True
    update: bool = True

    def is_supported(self, version: Version) -> bool:
        if version == V1:
            return bool(self.v1)
        return self.since is not None and version >= self.since


def attribute(name: str) -> Callable[[Any], Any]:
    return lambda record: getattr(record, name)


def is_public(record: Any) -> bool:
    return bool(record.visibility == "public")


def copied_from(record: Any) -> str | None:
    return SOURCE if bytes(record.data) == DATA else None


SAMPLES = (
    Sample("id", IMAGE_ID, attribute("id"), update=False),
    Sample("name", "another", attribute("name")),
    Sample("size", len(DATA), attribute("size"), {"location": SOURCE, **FORMATS}, update=False),
    Sample("size", len(DATA), attribute("size"), FORMATS, data=True),
    Sample("checksum", MD5, attribute("checksum"), since=None, update=False),
    Sample("checksum", MD5, attribute("checksum"), FORMATS, data=True),
    Sample("container_format", "ovf", attribute("container_format")),
    Sample("disk_format", "vhd", attribute("disk_format")),
    Sample("min_disk", 3, attribute("min_disk")),
    Sample("min_ram", 5, attribute("min_ram")),
    Sample("owner", "another-project", attribute("owner")),
    Sample("is_public", True, is_public),
    Sample("visibility", "public", attribute("visibility")),
    Sample(
        "visibility", "community", attribute("visibility"), v1=False, since=(2, 5), update=True
    ),
    Sample("protected", True, attribute("protected")),
    Sample("tags", ["a", "b"], lambda record: sorted(record.tags), v1=False),
    Sample("os_hidden", True, attribute("os_hidden"), v1=False, since=(2, 7)),
    Sample("location", SOURCE, lambda record: record.locations[0].url, FORMATS),
    # The server imports the data.
    Sample("copy_from", SOURCE, copied_from, FORMATS, since=(2, 6), update=False),
    Sample("copy_from", SOURCE, copied_from, FORMATS, since=None, create=False),
    Sample("store", "slow", lambda record: record.stores[0], v1=None, since=None),
    Sample("store", "slow", lambda record: record.stores[0], FORMATS, None, (2, 8), data=True),
)


def test_every_writable_row_has_a_sample() -> None:
    writable = {field.name for field in FIELDS if field.access is not Access.READ}
    assert {sample.name for sample in SAMPLES} == writable
    assert {field.v2.since for field in FIELDS if field.v2} <= set(V2_VERSIONS)


def by_name(sample: Sample) -> str:
    return f"{sample.name}-{sample.value if sample.name == 'visibility' else ''}" + (
        "-data" if sample.data else ""
    )


def check(server: Server, sample: Sample, call: Callable[[], Mapping[str, Any]]) -> None:
    """Make a call; check that it stores the value, or refuses it and writes nothing."""
    if server.version == V1 and sample.v1 is None:
        return
    del server.glance.requests[:]
    if not sample.is_supported(server.version):
        before = {one: dataclasses.replace(kept) for one, kept in server.glance.images.items()}
        with pytest.raises(exceptions.UnsupportedByVersion, match=sample.name):
            call()
        assert server.glance.images == before
        assert server.written() == []
        return
    written = call()
    record = server.glance.images[written["id"]]
    assert sample.stored(record) == sample.value
    # The server adds these to an imported image.
    assert {one for one in record.properties if not one.startswith("os_glance_")} == set()


def create(server: Server, sample: Sample) -> None:
    server.glance.reset()
    meta = {"name": "table", **sample.meta, sample.name: sample.value}
    check(
        server,
        sample,
        lambda: server.service.create(None, meta, data=DATA if sample.data else None),
    )


def update(server: Server, sample: Sample) -> None:
    server.glance.reset()
    image_id = server.service.create(None, {"name": "table", **sample.meta})["id"]
    meta = {sample.name: sample.value}
    data = DATA if sample.data else None
    check(
        server,
        sample,
        lambda: server.service.update(None, image_id, meta, data=data, purge_props=False),
    )


def test_create_stores_or_refuses(server: Server) -> None:
    check_each(
        (by_name(one), functools.partial(create, server, one)) for one in SAMPLES if one.create
    )


def test_update_stores_or_refuses(server: Server) -> None:
    check_each(
        (by_name(one), functools.partial(update, server, one)) for one in SAMPLES if one.update
    )


def test_store_is_sent_over_v1() -> None:
    # Pike has stores by the scheme of their URLs: file is one, slow is none.
    for server in start(V1):
        meta = {"name": "table", **FORMATS}
        created = server.service.create(None, {**meta, "store": "file"}, data=DATA)
        assert created["status"] == "active"
        for data in (None, DATA):
            with pytest.raises(exceptions.ImageBadRequest, match="slow"):
                server.service.create(None, {**meta, "store": "slow"}, data=data)
        assert [one.id for one in server.glance.images.values() if not one.deleted] == [
            created["id"]
        ]


#: Values that are omitted if the API does not have the attribute.
NOTHING: tuple[tuple[str, Any], ...] = (
    ("os_hidden", False),
    ("os_hidden", None),
    ("tags", []),
    ("tags", None),
    ("visibility", None),
    ("store", None),
    ("copy_from", None),
    ("location", None),
)


def write_nothing(server: Server, name: str, value: Any) -> None:
    server.glance.reset()
    created = server.service.create(None, {"name": "table", name: value})
    updated = server.service.update(None, created["id"], {"name": "other", name: value})
    record = server.glance.images[created["id"]]
    assert (updated["name"], record.name) == ("other", "other")
    assert (record.properties, record.tags, record.os_hidden) == ({}, [], False)


def test_no_op_value_is_omitted(server: Server) -> None:
    check_each(
        (f"{name}={value!r}", functools.partial(write_nothing, server, name, value))
        for name, value in NOTHING
    )


#: Values that no version accepts.
INVALID: tuple[tuple[str, Any], ...] = (
    ("os_hidden", "maybe"),
    ("tags", "a"),
    ("store", ""),
    ("location", "a\nb"),
)


def refuse_invalid(server: Server, name: str, value: Any) -> None:
    del server.glance.requests[:]
    with pytest.raises(exceptions.ImageBadRequest, match=name):
        server.service.create(None, {"name": "table", name: value})
    assert server.glance.requests == []


def test_invalid_value_is_refused_before_version_check(server: Server) -> None:
    check_each(
        (f"{name}={value!r}", functools.partial(refuse_invalid, server, name, value))
        for name, value in INVALID
    )


def test_update_unhides_image() -> None:
    for server in start((2, 7)):
        image_id = server.service.create(None, {"name": "table", "os_hidden": True})["id"]
        server.service.update(None, image_id, {"os_hidden": False})
        assert server.glance.images[image_id].os_hidden is False


def test_version_document_is_fetched_once_for_newer_values() -> None:
    for server in start((2, 7), api_version="2", extended=False):
        fetched = []
        for meta in ({"tags": ["a"], "visibility": "public"}, {"os_hidden": True}) * 2:
            server.service.create(None, {"name": "table", **meta})
            fetched.append(len(server.documents))
        assert fetched == [0, 1, 1, 1]


# ---------------------------------------------------------------------------------------------
# Additional rows, without any other change.

#: Rows for writable attributes of v2.18. A copy of the library gets them appended to its
#: fields.py.
NEW_ROWS = """
    _v2_only("vendor", to_str, Access.WRITE, Part.EXTENDED, (2, 18)),
    _v2_only("vendor_flag", to_bool, Access.WRITE, Part.EXTENDED, (2, 18), capability="flags"),
"""

#: A program that writes the new attribute and prints the outcome, for each case in its argument.
PROGRAM = """
import json, sys
from glance_compat import exceptions
from tests.contract import test_fields_table

def outcome(server, call, value):
    meta = {"name": "table", "vendor": value}
    try:
        if call == "create":
            written = server.service.create(None, meta)
        else:
            # A server of v2.18 has the attribute in every image; this one, once it was written.
            old = {"vendor": "old"} if value == "acme" and server.version == (2, 18) else {}
            image_id = server.service.create(None, {"name": "table", **old})["id"]
            del server.glance.requests[:]
            written = server.service.update(None, image_id, meta)
    except exceptions.GlanceCompatError as error:
        return [type(error).__name__, str(error), server.written()]
    [record] = server.glance.images.values()
    return [written["vendor"], written["properties"], record.properties]

found = []
for version, call, value in json.loads(sys.argv[1]):
    for server in test_fields_table.start(tuple(version)):
        found.append(outcome(server, call, value))
from glance_compat.discovery.versions import get_capabilities
has = ["flags" in get_capabilities((2, minor), ()) for minor in (17, 18)]
print(json.dumps([found, has]))
"""

CASES = tuple(
    (version, call, value)
    for version in (V1, (2, 5), (2, 17), (2, 18))
    for call in ("create", "update")
    for value in ("acme", None, 5)
)


@pytest.fixture(scope="module")
def with_new_rows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the output of a copy of the library with two additional rows in its table."""
    root = tmp_path_factory.mktemp("library")
    source = Path(glance_compat.__file__).parent
    shutil.copytree(source, root / "glance_compat", ignore=shutil.ignore_patterns("__pycache__"))
    table = root / "glance_compat" / "metadata" / "fields.py"
    text = table.read_text(encoding="utf-8")
    head = "FIELDS: tuple[Field, ...] = ("
    assert text.count(head) == 1
    table.write_text(text.replace(head, head + NEW_ROWS), encoding="utf-8")
    path = [str(root), str(Path(__file__).parents[2]), *sys.path]
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(CASES)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def check_outcome(found: list[Any], version: Version, value: Any) -> None:
    if value is None:
        assert found == [None, {}, {}]
    elif value == 5:
        assert (found[0], found[2]) == ("ImageBadRequest", [])
        assert "vendor must be a string" in found[1]
    elif version == (2, 18):
        # The embedded Glance stores an unknown attribute with the properties.
        assert found == ["acme", {}, {"vendor": "acme"}]
    else:
        assert (found[0], found[2]) == ("UnsupportedByVersion", [])
        assert f"Images API {'v2' if version == V1 else 'v2.18'} (vendor)" in found[1]


@pytest.mark.slow
def test_new_row_works_without_other_changes(with_new_rows: Any) -> None:
    outcomes = with_new_rows[0]
    check_each(
        (str((version, call, value)), functools.partial(check_outcome, found, version, value))
        for (version, call, value), found in zip(CASES, outcomes, strict=True)
    )


@pytest.mark.slow
def test_new_row_adds_its_capability(with_new_rows: Any) -> None:
    assert with_new_rows[1] == [False, True]
