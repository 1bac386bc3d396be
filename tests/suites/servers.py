# SPDX-License-Identifier: Apache-2.0
"""The servers that a suite runs against, and the configuration that tells the suite about them."""

from __future__ import annotations

import configparser
import contextlib
import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import yaml

from glance_compat.cli import serve
from glance_compat.cli.credentials import Credentials, clouds_yaml, write_tempest
from tests.clients.serving import serving
from tests.functional.cloud import Cloud, Layout, identity, lifecycle
from tests.functional.cloud.topology import SERVERS, VARIANTS, User
from tests.suites.catalog import Suite
from tests.unit.fixture.payloads import qcow2

#: The files that Tempest asks the server to fetch, by the option that has the URL.
_WEB_FILES = {"http_qcow2_image": "web/disk.img", "http_image": "web/image.tar.gz"}
#: openstacksdk's tests need a public image with the name of one of devstack's.
IMAGE = {
    "name": "cirros-0.6.2-x86_64-disk",
    "visibility": "public",
    "disk_format": "qcow2",
    "container_format": "bare",
}


@contextlib.contextmanager
def embedded(suite: Suite, folder: Path) -> Iterator[str]:
    """Run ``glance-compat serve``, which writes clouds.yaml, tempest.conf and accounts.yaml.

    :returns: its region.
    """
    options = [f"--option={name}={value}" for name, value in suite.options.items()]
    with (
        _web(folder) as web,
        serving(
            folder,
            *("--release", suite.release, "--api", suite.apis, "--strict-tokens", *options),
            *("--tempest", str(folder), "--source", f"{web}/web={folder / 'web'}"),
            *("--images", str(_write_image(folder))),
        ),
    ):
        _set_urls(folder, web)
        yield "RegionOne"


@contextlib.contextmanager
def real(suite: Suite, folder: Path) -> Iterator[str]:
    """Use a server of the real cloud, and write the same files as ``serve``.

    :returns: its region.
    """
    with contextlib.ExitStack() as stack:
        layout = Layout.from_environment()
        stack.enter_context(lifecycle.borrowed(layout, print))
        outcome = lifecycle.extend(
            layout, print, (*SERVERS, *(one for one in VARIANTS if one.region == suite.region))
        )
        cloud = Cloud(outcome)
        _write_files(suite, folder, cloud.auth_url)
        _set_urls(folder, stack.enter_context(_web(folder)))
        stack.enter_context(_image(cloud, suite.region))
        yield suite.region


def _write_files(suite: Suite, folder: Path, auth_url: str) -> None:
    users = {
        one.name: User(
            _own(one.name), one.password, _own((one.projects or (one.name,))[0]), one.roles
        )
        for one in serve.TEMPEST_USERS
    }
    identity.add_users(auth_url, users.values())

    def login(name: str, *, is_system: bool = False) -> Credentials:
        user = users[name]
        project = None if is_system else user.project
        return Credentials(
            f"{auth_url}/v3", user.name, user.password, project, suite.region, user.roles
        )

    clouds = {
        cloud: login(name, is_system=is_system)
        for cloud, (name, is_system) in serve.DEVSTACK.items()
    }
    (folder / "clouds.yaml").write_text(clouds_yaml(clouds))
    logins = [*(login(name) for name in users), login("admin", is_system=True)]
    config = {name: yaml.safe_load(value) for name, value in suite.options.items()}
    settings = {"release": suite.release, "apis": suite.apis.split(","), "config": config}
    write_tempest(folder, logins, **serve.tempest_features(settings))


def _own(name: str) -> str:
    """Return a name that other tests do not use, except for the administrator."""
    return name if name == "admin" else f"suite-{name}"


def _write_image(folder: Path) -> Path:
    file = folder / "images.yaml"
    file.write_text(yaml.safe_dump([{**IMAGE, "data_file": _WEB_FILES["http_qcow2_image"]}]))
    return file


@contextlib.contextmanager
def _image(cloud: Cloud, region: str) -> Iterator[None]:
    """Give the real server the image, unless it has v1 only; remove it in the end."""
    session, images = cloud.session("admin"), f"{cloud.url(region)}/v2/images"
    made = session.post(images, json=IMAGE, raise_exc=False)
    if made.status_code != 201:
        yield
        return
    image = f"{images}/{made.json()['id']}"
    try:
        binary = {"Content-Type": "application/octet-stream"}
        session.put(f"{image}/file", data=qcow2(), headers=binary)
        yield
    finally:
        session.delete(image)


@contextlib.contextmanager
def _web(folder: Path) -> Iterator[str]:
    """Serve the files that Tempest reads on loopback; yield the URL of their folder."""
    (folder / "web").mkdir()
    (folder / _WEB_FILES["http_qcow2_image"]).write_bytes(qcow2())
    (folder / _WEB_FILES["http_image"]).write_bytes(os.urandom(20_000))
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def _set_urls(folder: Path, web: str) -> None:
    file = folder / "tempest.conf"
    conf = configparser.ConfigParser(interpolation=None)
    conf.read(file)
    conf["image"] = {option: f"{web}/{name}" for option, name in _WEB_FILES.items()}
    with file.open("w") as stream:
        conf.write(stream)
