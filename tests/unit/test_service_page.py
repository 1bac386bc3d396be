# SPDX-License-Identifier: Apache-2.0
"""docs/in-a-service.rst: its program works, and so do its settings."""

from __future__ import annotations

import dataclasses
import inspect
import os
import runpy
import subprocess
import sys
import textwrap
import types
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session
from oslo_config import cfg

from glance_compat import ImageService, exceptions
from glance_compat.fixture import GlanceFixture
from glance_compat.routing.health import UNHEALTHY_SECONDS
from tests.reverse_proxy import Passing, ReverseProxy
from tests.unit.manual import DOCS, blocks, sections

SNIPPETS = DOCS / "snippets" / "services"
PAGE = sections("in-a-service.rst")
IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"
IMAGES = [{"id": IMAGE, "name": "server", "data": b"what a disk holds", "visibility": "public"}]


@pytest.fixture
def program() -> dict[str, Any]:
    """Return the names of the program."""
    return runpy.run_path(str(SNIPPETS / "program.py"))


def configured(*texts: str, **values: str) -> cfg.ConfigOpts:
    """Read a configuration file.

    :param texts: the content: blocks of the page.
    :param values: options of the group that have another value in the test.
    """
    file = Path("service.conf")
    own = "".join(f"{name} = {value}\n" for name, value in values.items())
    file.write_text("\n".join(texts) + "\n[glance_compat]\n" + own)
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(file)], project="my-service", default_config_dirs=[])
    return conf


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in an empty folder, without the proxies of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return tmp_path


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_service_reads_its_configuration(api: str, program: dict[str, Any]) -> None:
    sample = (SNIPPETS / "service.conf").read_text()
    with (
        GlanceFixture((api,), images=IMAGES, strict_tokens=True) as glance,
        ImageService.from_conf(configured(sample, auth_url=glance.auth_url)) as images,
    ):
        status, image = program["show_image"](images, None, IMAGE)
        assert (status, image["name"]) == (200, "server")
        status, body = program["show_image"](images, None, "no-such-image")
        assert status == 404
        assert body["request_id"].startswith("req-")


@pytest.mark.slow
def test_program_runs(folder: Path) -> None:
    sample = (SNIPPETS / "service.conf").read_text()
    with GlanceFixture(images=IMAGES) as glance:
        configured(sample, auth_url=glance.auth_url)
        done = subprocess.run(
            [sys.executable, str(SNIPPETS / "program.py"), IMAGE],
            cwd=folder,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.stdout.startswith("(200, {"), done.stderr


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("service", ["cinder", "ironic"])
def test_class_for_another_service_is_configured(api: str, service: str) -> None:
    page = sections("other-services.rst")
    [block] = blocks(textwrap.dedent(_code_of(page["Use one of the classes"])), "python")
    sample = (SNIPPETS / "cinder.conf").read_text()
    with GlanceFixture((api,), images=IMAGES, strict_tokens=True) as glance:
        names = runpy.run_path(str(SNIPPETS / f"{service}.py"))
        conf = configured(sample, auth_url=glance.auth_url)
        names["cfg"] = types.SimpleNamespace(CONF=conf)
        exec(block.replace("from oslo_config import cfg\n", ""), names)  # noqa: S102 - own text
        if service == "cinder":
            assert names["service"].list_members(None, IMAGE) == []
        else:
            assert names["service"].show(f"glance://{IMAGE}")["name"] == "server"
        assert names["images"].show(None, IMAGE).keys() >= {"visibility", "tags"}


def _code_of(text: str) -> str:
    """Return a text without the indentation of its numbered list."""
    return text[text.index("   .. code-block::") :].partition("\n\nThe errors")[0]


def test_service_acts_for_a_user(program: dict[str, Any]) -> None:
    [block] = blocks(PAGE["Act for a user"], "python")
    image = {**IMAGES[0], "owner": "wonderland", "visibility": "private"}
    with GlanceFixture(release="33", images=[image]) as glance:
        images = ImageService(glance.session("service:service:member"))
        found = {}
        for environ in (
            {"HTTP_X_AUTH_TOKEN": "alice:wonderland:member"},
            {"HTTP_X_AUTH_TOKEN": "queen:court:member"},
            {},
        ):
            names = {**program, "images": images, "image_id": IMAGE, "environ": environ}
            glance.requests.clear()
            exec(block, names)  # noqa: S102 - it is the project's own text
            found[environ.get("HTTP_X_AUTH_TOKEN")] = names["status"]
            tokens = {one.headers.get("X-Auth-Token") for one in glance.requests}
            assert "service:service:member" not in tokens
    assert found == {"alice:wonderland:member": 200, "queen:court:member": 404, None: 401}


def test_every_error_has_a_status(program: dict[str, Any]) -> None:
    status_of = program["status_of"]
    # A class after one of its bases would never match.
    for kind, status in program["STATUSES"]:
        assert status_of(_new(kind)) == status
    kinds = [one for _, one in inspect.getmembers(exceptions, inspect.isclass)]
    errors = [one for one in kinds if issubclass(one, exceptions.GlanceCompatError)]
    others = {one.__name__ for one in errors if status_of(_new(one)) == 502}
    assert others == {
        *("GlanceCompatError", "BadResponse", "NoUsableVersion", "OutcomeUnknown"),
        *("UnreadableImage", "DataSourceError", "ImportFailed", "ImageImportImpossible"),
        *("IntegrityError", "SignatureVerificationError", "SignatureUnusable", "InvalidSignature"),
        *("KeyManagerFailed", "CertificateValidationFailed"),
    }


def _new(kind: type[exceptions.GlanceCompatError]) -> exceptions.GlanceCompatError:
    """Return an instance, without the arguments that some classes need."""
    return kind.__new__(kind)


def test_glance_may_be_behind_a_path() -> None:
    [setting] = blocks(PAGE["Behind a proxy"], "ini")
    with GlanceFixture(release="33", prefix="/image", images=IMAGES) as glance:
        host = glance.url.removesuffix("/image")
        text = setting.replace("https://cloud.example", host)
        assert text != setting
        conf = configured(text, auth_type="admin_token", endpoint=host, token="token")
        with ImageService.from_conf(conf) as images:
            assert images.show(None, IMAGE)["name"] == "server"


def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def without_host(request: Passing) -> Passing:
        """Change the URL in a request to a proxy to a path."""
        seen.append(request.path)
        parts = urlsplit(request.path)
        return dataclasses.replace(request, path=parts._replace(scheme="", netloc="").geturl())

    url = "http://glance.invalid:9292"
    hosts = ["glance.invalid"]
    with (
        GlanceFixture(release="33", images=IMAGES, allowed_hosts=hosts) as glance,
        ReverseProxy(glance.url, without_host) as proxy,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        session = Session(auth=token_endpoint.Token(url, "token"))
        images = ImageService(session, endpoint_override=url)
        assert images.show(None, IMAGE)["name"] == "server"
        assert b"".join(images.download(None, IMAGE)) == IMAGES[0]["data"]
        session.session.close()
    assert all(one.startswith(url) for one in seen)


def test_second_endpoint_is_used(caplog: pytest.LogCaptureFixture) -> None:
    [setting] = blocks(PAGE["Several endpoints"], "ini")
    assert f"{UNHEALTHY_SECONDS:.0f} seconds" in PAGE["Several endpoints"]
    with GlanceFixture(release="33", images=IMAGES) as glance:
        text = setting.replace("glance-1.example:9292", "127.0.0.1:1")
        text = text.replace("http://glance-2.example:9292", glance.url)
        conf = configured(text, auth_type="admin_token", endpoint=glance.url, token="token")
        with ImageService.from_conf(conf) as images:
            assert images.show(None, IMAGE)["name"] == "server"
            assert images.show(None, IMAGE)["id"] == IMAGE
        assert len([one for one in glance.requests if one.path.endswith(IMAGE)]) == 2
