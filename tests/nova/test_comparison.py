# SPDX-License-Identifier: Apache-2.0
"""The cells of README.rst's table on Nova's own module.

The other cells are asserted in tests/clients/test_comparison.py.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import glanceclient
import pytest
import requests
from keystoneauth1.session import Session
from nova import context as nova_context
from nova import exception
from nova.image import glance as novas_module

from glance_compat.fixture import GlanceFixture, faults
from tests.clients.test_comparison import DATA, FILE, FORMATS, ID, stored
from tests.nova.sides import configured

META = {"name": "one", "properties": {}, **FORMATS}


def context() -> nova_context.RequestContext:
    return nova_context.RequestContext(
        "demo", "fixture-project", auth_token="demo:fixture-project:member"
    )


@pytest.fixture
def glance() -> Iterator[GlanceFixture]:
    """Provide a Glance 33 that Nova is configured for, with one retry."""
    with GlanceFixture(release="33") as fixture, configured(fixture, num_retries=1):
        yield fixture


def create(data: bytes | None = DATA, **meta: Any) -> None:
    source = None if data is None else io.BytesIO(data)
    novas_module.API().create(context(), {**META, **meta}, data=source)


def test_cloud_that_offers_only_v1() -> None:
    with GlanceFixture(apis=("v1",)) as v1_only, configured(v1_only):
        with pytest.raises(glanceclient.exc.HTTPMultipleChoices):
            novas_module.API().get_all(context())
        with pytest.raises(glanceclient.exc.HTTPMultipleChoices):
            create()
        assert stored(v1_only) == []


def test_property_without_a_value(glance: GlanceFixture) -> None:
    with pytest.raises(TypeError):
        create(None, properties={"note": None})
    assert stored(glance) == []


def test_connection_that_breaks_during_an_upload(glance: GlanceFixture) -> None:
    glance.faults.add(faults.ResetDuring(), "PUT", FILE)
    create()
    assert stored(glance) == [("active", 0)]


def test_token_that_expires_before_an_upload(glance: GlanceFixture) -> None:
    glance.faults.add(faults.ExpiredToken(), "PUT", FILE)
    with pytest.raises(exception.Forbidden):
        create()
    assert stored(glance) == [("queued", 0)]


def test_lost_response_to_a_creation(glance: GlanceFixture) -> None:
    glance.faults.add(faults.ResponseLost(), "POST", "images")
    create()
    assert sorted(stored(glance)) == [("active", len(DATA)), ("queued", 0)]


def test_damaged_download(glance: GlanceFixture, tmp_path: Path) -> None:
    glance.add_image({"id": ID, "data": DATA, **FORMATS})
    glance.faults.add(faults.BodyCorrupted(), "GET", FILE)
    path = tmp_path / "disk"
    with pytest.raises(OSError, match="Corrupt"):
        novas_module.API().download(context(), ID, dest_path=str(path))
    assert path.stat().st_size == len(DATA)
    assert path.read_bytes() != DATA


class DeletingServer:
    """A server, and sessions that delete the last image of each page that they receive."""

    def __init__(self, glance: GlanceFixture) -> None:
        self.url = glance.url
        self._glance = glance

    def session(self) -> Session:
        session = self._glance.session()
        session.session.hooks["response"].append(self._delete_last)
        return session

    def _delete_last(self, response: requests.Response, **_: object) -> None:
        if response.ok and response.url.partition("?")[0].endswith("/v2/images"):
            last = response.json()["images"][-1]["id"]
            assert self._glance.session().delete(f"{self.url}/v2/images/{last}").ok


def test_image_deleted_during_a_list() -> None:
    images = [{"name": str(number)} for number in range(5)]
    with (
        GlanceFixture(release="33", page_cap=2, images=images) as glance,
        configured(DeletingServer(glance)),
        pytest.raises(exception.Invalid),
    ):
        novas_module.API().get_all(context())


def test_name_that_looks_like_an_operator(glance: GlanceFixture) -> None:
    glance.add_image({"name": "in:a,b"})
    assert novas_module.API().get_all(context(), filters={"name": "in:a,b"}) == []


def test_html_page_instead_of_a_list(glance: GlanceFixture) -> None:
    glance.faults.add(faults.HtmlPage(), "GET", "v2/images")
    with pytest.raises(TypeError):
        novas_module.API().get_all(context())
    assert glance.faults.unused == ()
