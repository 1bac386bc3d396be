# SPDX-License-Identifier: Apache-2.0
"""docs/usage.rst: its examples run over both APIs."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from glance_compat import ImageService, exceptions
from glance_compat.fixture import GlanceFixture, User
from tests.unit.manual import blocks, sections

PAGE = sections("usage.rst")
USER = User("demo", password="secret", projects=("demo",))
IDENTITY = "https://identity.example/v3"


def run(title: str, names: dict[str, Any], change: str = IDENTITY) -> None:
    """Run the examples of a section.

    :param change: the URL of the identity service.
    """
    for block in blocks(PAGE[title], "python"):
        exec(block.replace(IDENTITY, change), names)  # noqa: S102 - it is the project's own text


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_examples_run_in_the_order_of_the_page(
    api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with GlanceFixture((api,), users=[USER], strict_tokens=True) as glance:
        names: dict[str, Any] = {}
        run("Make a service", names, glance.auth_url)
        token = names["auth"].get_token(names["session"].Session())
        run("Make calls", {**names, "context": types.SimpleNamespace(auth_token=token)})
        [image_id] = glance.images
        assert capsys.readouterr().out == f"{image_id} active\n"
        names["images"] = names["service"].bound()
        run("Handle errors", {**names, "image_id": image_id})
        assert capsys.readouterr().out == ""
        run("Handle errors", {**names, "image_id": image_id})
        assert capsys.readouterr().out == "it is gone already\n"


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_example_names_what_is_not_allowed(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    image = {"name": "other's", "owner": "another", "visibility": "public"}
    with GlanceFixture((api,), images=[image]) as glance:
        [image_id] = glance.images
        images = ImageService(glance.session()).bound()
        run("Handle errors", {"images": images, "image_id": image_id})
        assert capsys.readouterr().out.startswith("not allowed: ")
        assert not glance.images[image_id].deleted


def test_service_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "service.conf"
    with GlanceFixture(release="33") as glance:
        file.write_text(
            "[glance_compat]\nauth_type = admin_token\ntoken = token\n"
            f"endpoint = {glance.url}\nendpoint_override = {glance.url}\n"
        )
        conf = cfg.ConfigOpts()
        conf(["--config-file", str(file)], project="service", default_config_dirs=[])
        names: dict[str, Any] = {"conf": conf, "ImageService": ImageService}
        run("Close a service", names)
        # A closed service opens new connections.
        with pytest.raises(exceptions.ImageNotFound):
            names["service"].bound().show("no-such-image")
