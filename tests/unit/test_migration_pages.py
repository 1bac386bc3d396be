# SPDX-License-Identifier: Apache-2.0
"""docs/from-*.rst: both calls of each row have the same effect, and no method is left out."""

from __future__ import annotations

import builtins
import inspect
import io
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import glanceclient
import openstack.connection
import openstack.exceptions
import openstack.proxy
import pytest
from glanceclient import exc
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session
from openstack.image.v2 import image as openstack_image
from openstack.image.v2._proxy import Proxy
from packaging.version import Version

from glance_compat import BoundImageService, ImageService, Options, exceptions
from glance_compat.fixture import ORDINARY_PROJECT, ORDINARY_USER, GlanceFixture
from tests.clients.comparison import RELEASES
from tests.unit.cli.running import in_process, sdk_may_warn
from tests.unit.manual import blocks, commands, literals, rows, sections

# openstacksdk itself uses functions that it deprecates.
pytestmark = [
    sdk_may_warn,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]

GLANCECLIENT = sections("from-glanceclient.rst")
OPENSTACKSDK = sections("from-openstacksdk.rst")
#: The tables of methods: the API, the title of the section, and its text.
#: Rows of the page of openstacksdk stand for all methods with these words in their names.
WORDS = ("metadef", "schema", "cache")
TABLES = {
    "glanceclient-v1": GLANCECLIENT["v1, method by method"],
    "glanceclient-v2": GLANCECLIENT["v2, method by method"],
    "openstacksdk": OPENSTACKSDK["Method by method"],
}
URL = "http://images.example/disk.img"
DATA = b"what a disk holds"
FORMATS = {"disk_format": "raw", "container_format": "bare"}
IDS = {
    name: f"70a599e0-31e7-49b7-b260-86800000000{number}"
    for number, name in enumerate(("image_id", "queued_id", "copied_id", "missing_id"))
}
VARIABLES: Mapping[str, Any] = {
    **IDS,
    "project_id": "wonderland",
    "owner_id": "another",
    "url": URL,
    "meta": {"name": "new", **FORMATS},
    "formats": FORMATS,
}
ADMIN = "admin:fixture-project:admin"
#: Calls of this library whose results are compared.
READS = re.compile(
    r"images\.(show|detail|iter_detail|download|stores|tasks|locations|members|discover)\b|\["
)


def glance_for(table: str) -> GlanceFixture:
    """Return a Glance for the calls of a table."""
    server = {"image_id": "server", "copied_id": "copied"}
    images: list[dict[str, Any]] = [
        {
            "id": IDS[key],
            "name": name,
            "data": DATA,
            "properties": {"os_distro": "ubuntu", "os_version": "24"} if not number else {},
            "tags": ["one"] if not number and table != "glanceclient-v1" else [],
            "members": [] if number else ["wonderland"],
            **FORMATS,
        }
        for number, (key, name) in enumerate(server.items())
    ]
    images.append({"id": IDS["queued_id"], "name": "queued", **FORMATS})
    images.append({"name": "far", "owner": "another", "visibility": "public", **FORMATS})
    sources: dict[str, bytes | int] = {URL: DATA}
    if table == "glanceclient-v1":
        return GlanceFixture(("v1",), "mitaka", images=images, sources=sources, sockets=False)
    images[1]["stores"] = ["fast", "slow"]
    config = {
        "enabled_backends": ["fast", "slow", "web:http"],
        "show_multiple_locations": True,
    }
    return GlanceFixture(
        release="33", config=config, images=images, sources=sources, sockets=False
    )


def theirs(table: str, glance: GlanceFixture, token: str = ADMIN) -> dict[str, Any]:
    """Return the client of a table, by the name that its page gives it."""
    session = glance.session(token)
    if table == "openstacksdk":
        cloud = openstack.connection.Connection(
            session=session, image_endpoint_override=glance.url, image_api_version="2"
        )
        return {"cloud": cloud}
    client = glanceclient.Client(table[-1], session=session, endpoint_override=glance.url)
    return {"glance": client}


def ours(glance: GlanceFixture, token: str = ADMIN) -> dict[str, Any]:
    service = ImageService(
        glance.session(token),
        endpoint_override=glance.url,
        options=Options(extended=True, max_attempts=1),
    )
    return {"images": service.bound()}


def is_older(table: str) -> bool:
    """Return whether the installed client is older than the release that its page describes."""
    name = "openstacksdk" if table == "openstacksdk" else "python-glanceclient"
    return Version(metadata.version(name)) < Version(RELEASES[name])


def run(lines: Iterable[str], names: dict[str, Any]) -> Any:
    """Run lines of code; return the value of the last one."""
    *before, last = lines
    for line in before:
        exec(line, names)  # noqa: S102 - it is the project's own text
    return eval(last, names)  # noqa: S307 - it is the project's own text


def keys_of(result: Any) -> Any:
    """Reduce what a call returned to what all clients can return."""
    if isinstance(result, bytes) or result is None:
        return result
    if isinstance(result, Mapping) and len(result) == 1:
        # The body of a response.
        [result] = result.values()
    if _key_of(result) is not None:
        return [_key_of(result)]
    found = list(result)
    if all(isinstance(one, bytes) for one in found):
        return b"".join(found)
    return sorted(_key_of(one) for one in found)


def _key_of(value: Any) -> str | None:
    """Return what names one image, member, location, store, task or version."""
    for name in ("member_id", "url", "id"):
        key = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        if isinstance(key, str):
            is_random = re.fullmatch(r"[0-9a-f-]{36}", key) and key not in IDS.values()
            return "new" if is_random else key
    return None


def stored(glance: GlanceFixture) -> Any:
    """Return the images of a server, without ids and times."""
    glance.run_tasks()
    own = ("owner_specified.", "os_glance_", "direct_url", "locations")
    images = [
        (
            image.name,
            image.status,
            image.data,
            image.visibility,
            image.disk_format,
            sorted(image.tags),
            {key: value for key, value in image.properties.items() if not key.startswith(own)},
            {one.member_id: one.status for one in image.live_members()},
            len(image.locations),
        )
        for image in glance.images.values()
    ]
    files = {one.name: one.read_bytes() for one in Path().iterdir()}
    return sorted(images, key=lambda one: (one[0], one[1])), files


def pairs() -> list[Any]:
    found = []
    for table, text in TABLES.items():
        for their_cell, our_cell, _ in rows(text):
            if our_cell.strip() != "nothing":
                lines = literals(their_cell), literals(our_cell)
                found.append(pytest.param(table, *lines, id=f"{table}-{lines[0][-1]}"))
    return found


@pytest.mark.parametrize(("table", "their_lines", "our_lines"), pairs())
def test_both_calls_have_the_same_effect(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    table: str,
    their_lines: list[str],
    our_lines: list[str],
) -> None:
    outcomes = []
    for folder, lines, connect in (
        ("theirs", their_lines, lambda glance: theirs(table, glance)),
        ("ours", our_lines, ours),
    ):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        with glance_for(table) as glance:
            if "tasks" in lines[-1]:
                ours(glance)["images"].copy_to_stores(IDS["image_id"], ["slow"])
                glance.run_tasks()
            names = {**VARIABLES, **connect(glance), "data": io.BytesIO(DATA)}
            before = stored(glance)
            try:
                result = run(lines, names)
            except AttributeError:
                if folder == "theirs" and is_older(table):
                    pytest.skip("an older release of the client has no such method")
                raise
            is_read = READS.match(our_lines[-1]) is not None and "dst_path" not in our_lines[-1]
            outcomes.append((keys_of(result) if is_read else None, stored(glance)))
            # A pair that does nothing would be equal, too.
            assert (
                is_read
                or "deactivate" in lines[-1]
                or outcomes[-1][1] != before
                or is_noop(lines[-1])
            )
            glance.unknown_requests.clear()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] != []


def is_noop(line: str) -> bool:
    """Tell whether a call changes nothing of the images that the test has made."""
    return "reactivate" in line or "missing_id" in line


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_new_client_takes_the_session_of_glanceclient(api: str) -> None:
    first, second = blocks(GLANCECLIENT["Change the client"], "python")
    with GlanceFixture((api,), images=[{"id": IDS["image_id"], "name": "server"}]) as glance:
        # The old program chooses the version.
        names: dict[str, Any] = {"session": glance.session()}
        exec(first.replace('Client("2"', f'Client("{api[1]}"'), names)  # noqa: S102 - own text
        for block in ("", second):
            exec(block, names)  # noqa: S102 - it is the project's own text
            assert names["images"].show(IDS["image_id"])["name"] == "server"
        assert names["images"].discover().api == api


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_new_client_takes_the_session_of_openstacksdk(
    api: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    [block] = blocks(OPENSTACKSDK["Change the client"], "python")
    with GlanceFixture((api,), images=[{"id": IDS["image_id"], "name": "server"}]) as glance:
        auth = {
            "auth_url": glance.auth_url,
            "username": ORDINARY_USER,
            "password": "any",
            "project_name": ORDINARY_PROJECT,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        file = tmp_path / "clouds.yaml"
        file.write_text(json.dumps({"clouds": {"mycloud": {"auth": auth}}}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
        names: dict[str, Any] = {}
        exec(block, names)  # noqa: S102 - it is the project's own text
        assert names["images"].show(IDS["image_id"])["name"] == "server"


def test_rows_have_two_calls_or_none() -> None:
    for text in TABLES.values():
        for their_cell, our_cell, _ in rows(text):
            assert our_cell.strip() == "nothing" or literals(our_cell)
            assert literals(their_cell) or "in their names" in their_cell


@pytest.mark.parametrize("version", ["1", "2"])
def test_every_method_of_glanceclient_is_in_the_table(version: str) -> None:
    text = TABLES[f"glanceclient-v{version}"]
    session = Session(auth=token_endpoint.Token("http://glance.invalid", "token"))
    client = glanceclient.Client(version, session=session)
    methods = [
        (f"glance.{name}", method)
        for name, manager in vars(client).items()
        if type(manager).__module__.startswith(f"glanceclient.v{version}")
        for method, _ in inspect.getmembers(type(manager), inspect.isfunction)
        if not method.startswith("_")
    ]
    assert len(methods) > 15
    missing = [
        f"{manager}.{method}"
        for manager, method in methods
        if f"``{manager}``" not in text and not re.search(rf"{manager}\.{method}\b", text)
    ]
    assert missing == []


def test_every_method_of_openstacksdk_is_in_the_table() -> None:
    text = TABLES["openstacksdk"]
    methods = [
        name
        for name, _ in inspect.getmembers(Proxy, inspect.isfunction)
        if not name.startswith("_") and not hasattr(openstack.proxy.Proxy, name)
    ]
    assert len(methods) > 60
    missing = [
        name
        for name in methods
        if not any(f"with ``{word}`` in" in text and word in name for word in WORDS)
        and not re.search(rf"cloud\.image\.{name}\b", text)
    ]
    assert missing == []


#: What is wrong, and a call with which each client meets it. ``client`` is its client.
FAILURES = {
    "an image that does not exist": {
        "glanceclient": "client.images.get(missing_id)",
        "openstacksdk": "client.image.get_image(missing_id)",
        "ours": "client.show(missing_id)",
    },
    "the image of another project is changed": {
        "glanceclient": "client.images.update(far_id, name='mine')",
        "openstacksdk": "client.image.update_image(far_id, name='mine')",
        "ours": "client.update(far_id, {'name': 'mine'})",
    },
    "a token that has expired": {
        "glanceclient": "client.images.get(image_id)",
        "openstacksdk": "client.image.get_image(image_id)",
        "ours": "client.show(image_id)",
    },
    "an id that is in use": {
        "glanceclient": "client.images.create(id=image_id, **meta)",
        "openstacksdk": "client.image._create(Image, id=image_id, **meta)",
        "ours": "client.create({**meta, 'id': image_id})",
    },
    "an unknown status of a member": {
        "glanceclient": "client.image_members.update(image_id, project_id, 'unknown')",
        "openstacksdk": "client.image.update_member(project_id, image_id, status='unknown')",
        "ours": "client.update_member(image_id, project_id, 'unknown')",
    },
    "no server listens": {
        "glanceclient": "client.images.get(image_id)",
        "ours": "client.show(image_id)",
    },
    "damaged data": {
        "glanceclient": "b''.join(client.images.data(damaged_id))",
        "openstacksdk": "client.image.download_image(damaged_id)",
        "ours": "b''.join(client.download(damaged_id))",
    },
}
#: The tokens of users for whom something is wrong.
TOKENS = {
    "a token that has expired": "expired",
    "an unknown status of a member": "alice:wonderland:member",
}
PAGES = {"glanceclient": GLANCECLIENT, "openstacksdk": OPENSTACKSDK}
MODULES = {"glanceclient": exc, "openstacksdk": openstack.exceptions}


def failures() -> list[Any]:
    return [
        pytest.param(page, what.strip(), *cells, id=f"{page}-{what.strip()}")
        for page, titles in PAGES.items()
        for what, *cells in rows(titles["Errors"])
    ]


def client_for(page: str, what: str, glance: GlanceFixture) -> Any:
    """Return a client of an ordinary user, for whom something is wrong."""
    url = "http://127.0.0.1:1" if what == "no server listens" else glance.url
    auth = token_endpoint.Token(url, TOKENS.get(what, "token"))
    session = glance.session()
    session.auth = auth
    if page == "ours":
        options = Options(extended=True, max_attempts=1, api_version="2")
        return ImageService(session, endpoint_override=url, options=options).bound()
    if page == "openstacksdk":
        return openstack.connection.Connection(
            session=session, image_endpoint_override=url, image_api_version="2"
        )
    return glanceclient.Client("2", session=session, endpoint_override=url)


@pytest.mark.parametrize(("page", "what", "their_error", "our_error"), failures())
def test_errors_are_the_ones_of_the_table(
    page: str, what: str, their_error: str, our_error: str
) -> None:
    [their_name], [our_name] = literals(their_error), literals(our_error)
    wrong = {"checksum": "0" * 32, "os_hash_algo": "sha512", "os_hash_value": "0" * 128}
    images: list[dict[str, Any]] = [
        {"id": IDS["image_id"], "name": "server", "data": DATA, "members": ["wonderland"]},
        {"id": IDS["copied_id"], "name": "far", "owner": "another", "visibility": "public"},
        {"id": IDS["queued_id"], "name": "damaged", "data": DATA, **wrong},
    ]
    strict = what == "a token that has expired"
    for client, module, name in (
        (page, MODULES[page], their_name),
        ("ours", exceptions, our_name),
    ):
        with GlanceFixture(
            release="33",
            images=[{**FORMATS, **one} for one in images],
            sockets=False,
            strict_tokens=strict,
        ) as glance:
            error = getattr(module, name, None) or getattr(builtins, name)
            names = {
                **VARIABLES,
                "far_id": IDS["copied_id"],
                "damaged_id": IDS["queued_id"],
                "Image": openstack_image.Image,
            }
            names["client"] = client_for(client, what, glance)
            with pytest.raises(error) as raised:
                eval(FAILURES[what][client], names)  # noqa: S307 - written above
            assert raised.type.__name__ in (name, "BrokenPipeError")


VERSIONS = sections("from-v1-to-v2.rst")


def run_blocks(title: str, glance: GlanceFixture) -> dict[str, Any]:
    """Run the code of a section of the page on versions."""
    names: dict[str, Any] = {"session": glance.session()}
    imports = blocks(VERSIONS["2. Use calls that both APIs have"], "python")[0].split("\n\n")[0]
    for block in (imports, *blocks(VERSIONS[title], "python")):
        exec(block, names)  # noqa: S102 - it is the project's own text
    return names


def test_calls_for_both_versions_refuse_what_v1_cannot_store() -> None:
    with GlanceFixture() as glance:
        images = run_blocks("2. Use calls that both APIs have", glance)["images"]
        assert images.discover().api == "v2"
        with pytest.raises(exceptions.PropertyNotAllowed):
            images.create({"name": "new", "properties": {"os:type": "linux"}})


def test_each_version_can_be_chosen_while_both_are_there() -> None:
    with GlanceFixture() as glance:
        for title in ("2. Use calls that both APIs have", "3. Try v2 while v1 is there"):
            assert run_blocks(title, glance)["images"].discover().api == "v2"


def test_commands_of_the_page_on_versions_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with GlanceFixture(images=[{"name": "equal", "data": DATA, **FORMATS}]) as glance:
        monkeypatch.setenv("OS_AUTH_TYPE", "admin_token")
        monkeypatch.setenv("OS_ENDPOINT", glance.url)
        monkeypatch.setenv("OS_TOKEN", ADMIN)
        lists = []
        for title in ("1. Audit the images", "3. Try v2 while v1 is there"):
            for command in commands(VERSIONS[title]):
                outcome = in_process(*shlex.split(command)[1:])
                assert outcome.code == 0, outcome.err
                lists.append(outcome.out)
        assert lists[-1] == lists[-2] != "[]\n"


def test_calls_of_the_page_on_versions_exist() -> None:
    cells = [row[2] for row in rows(VERSIONS["What changes for a script with its own requests"])]
    calls = re.findall(r"images\.(\w+)\(", "".join(cells))
    assert len(calls) > 6
    assert [name for name in calls if not callable(getattr(BoundImageService, name, None))] == []


def test_v1_replaces_properties_and_v2_does_not() -> None:
    image = {"id": IDS["image_id"], "name": "server", "properties": {"kept": "yes"}, **FORMATS}
    with GlanceFixture(images=[image]) as glance:
        session, url = glance.session(), f"{glance.url}/v1/images/{IDS['image_id']}"
        patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        session.patch(
            url.replace("v1", "v2"),
            json=[{"op": "add", "path": "/new", "value": "1"}],
            headers=patch,
        )
        assert glance.images[IDS["image_id"]].properties == {"kept": "yes", "new": "1"}
        new = {"x-image-meta-property-new": "2"}
        session.put(url, headers={**new, "x-glance-registry-purge-props": "false"})
        assert glance.images[IDS["image_id"]].properties == {"kept": "yes", "new": "2"}
        session.put(url, headers=new)
        assert glance.images[IDS["image_id"]].properties == {"new": "2"}
