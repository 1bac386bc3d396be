# SPDX-License-Identifier: Apache-2.0
"""Copies under the faults of the table, in either half: whole, or an error; never doubles."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.copying import copy_image
from glance_compat.fixture import GlanceFixture
from glance_compat.transport import retry
from tests.faults.calls import ACTIVE, FORMATS, Api
from tests.faults.table import ROWS, Row
from tests.faults.walk import DEADLINE, OPTIONS

#: Short, because one fault sends it byte by byte.
DATA = bytes(range(256)) * 8

#: The requests of a copy that are disturbed: the cloud, the method, and the path on each API.
STEPS: dict[str, tuple[str, str, dict[Api, str]]] = {
    "download": ("source", "GET", {"v1": f"/v1/images/{ACTIVE}", "v2": "*/file"}),
    "search": ("target", "GET", {"v1": "/v1/images/detail*", "v2": "/v2/images"}),
    "create": ("target", "POST", {"v1": "/v1/images", "v2": "/v2/images"}),
    "upload": ("target", "PUT", {"v1": "/v1/images/*", "v2": "*/file"}),
}
IMAGE = {"id": ACTIVE, "name": "one", "data": DATA, "owner": "fixture-project", **FORMATS}


def copied(row: Row, api: Api, step: str) -> list[str]:
    """Copy an image under a fault, then again without; return what is wrong."""
    chosen = Options(**{**OPTIONS, **row.options})
    with (
        GlanceFixture((api,), images=[IMAGE], sockets=False) as old,
        GlanceFixture((api,), sockets=False) as new,
    ):
        source, target = (
            ImageService(one.session(), endpoint_override=one.url, options=chosen)
            for one in (old, new)
        )
        side, method, paths = STEPS[step]
        faults = (old if side == "source" else new).faults
        source.discover()
        target.discover()
        faults.add(row.fault, method, paths[api], times=row.times)
        wrong = []
        with retry.without_pauses():
            error = _error_of(source, target)
            wrong += [f"raised {error!r}"] if _is_foreign(error) else []
            wrong += [f"{one.id} is short" for one in _active(new) if one.data != DATA]
            wrong += ["no copy"] if error is None and not _active(new) else []
            wrong += [] if faults.happened else ["the fault did not happen"]
            faults.clear()
            again = _error_of(source, target)
        wrong += [f"second copy: {again!r}"] if again is not None else []
        wrong += [] if [one.data for one in _active(new)] == [DATA] else ["not one whole copy"]
        return wrong


def _error_of(source: ImageService, target: ImageService) -> BaseException | None:
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_image, source, ACTIVE, target).exception(timeout=DEADLINE)


def _is_foreign(error: BaseException | None) -> bool:
    return error is not None and not isinstance(error, exceptions.GlanceCompatError)


def _active(glance: GlanceFixture) -> list[Any]:
    return [one for one in glance.images.values() if one.status == "active"]


@pytest.mark.slow
@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("step", STEPS)
def test_copy_is_whole_or_fails_and_the_next_one_succeeds(api: Api, step: str) -> None:
    # Data may take longer than the deadline, so the rows with a deadline do not apply.
    rows = {about: row for about, row in ROWS.items() if not row.sockets and not row.options}
    found = {about: copied(row, api, step) for about, row in rows.items()}
    assert {about: wrong for about, wrong in found.items() if wrong} == {}
