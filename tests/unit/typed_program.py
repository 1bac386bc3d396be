# SPDX-License-Identifier: Apache-2.0
"""A user's program with type hints: it satisfies mypy in strict mode, and it runs.

``type: ignore`` marks deliberate mistakes; mypy reports each one that it does not find.
"""

from __future__ import annotations

import datetime
import typing
from collections.abc import Iterator

from keystoneauth1 import session as ksa_session

from glance_compat import (
    BoundImageService,
    Discovery,
    Download,
    ExtendedImage,
    Image,
    ImageService,
    Member,
    Options,
)

META = {"name": "typed", "disk_format": "raw", "container_format": "bare"}


def use_service(service: ImageService, path: str) -> None:
    """Use the methods with a context."""
    image: Image = service.create(None, META, data=b"data")
    same: Image = service.show(context=None, image_id=image["id"], include_locations=True)
    source: Download = service.download(None, image["id"])
    source.close()
    written: Download | None = service.download(None, image["id"], dst_path=path)
    assert written is None
    found: Discovery = service.discover()
    assert same["locations"] == [] or found.api == "v2"
    done: typing.Literal[True] = service.delete(None, image["id"])
    assert done


def use_bound_service(images: BoundImageService, path: str) -> None:
    """Use the methods without a context."""
    image: Image = images.create(META, data=iter([b"da", b"ta"]), progress=print)
    image_id: str = image["id"]
    created: datetime.datetime | None = image["created_at"]
    assert created is not None
    image = images.update(image_id, {"properties": {"a": "1"}}, purge_props=False)
    image = images.show(image_id=image_id, show_deleted=False)
    assert image["size"] + image["min_disk"] == 4
    every: list[Image] = images.detail(filters={"name": "typed"}, sort_key=["name", "id"])
    walk: Iterator[Image] = images.iter_detail(limit=1, page_size=1)
    assert len(every) == len(list(walk)) == 1
    source: Download = images.download(image_id)
    assert b"".join(source) == b"data"
    written: Download | None = images.download(image_id, dst_path=path)
    assert written is None
    member: Member = images.add_member(image_id, "a" * 32)
    assert images.members(image_id) == [member]
    assert images.remove_member(image_id, member["member_id"])
    assert images.discover().api == "v2"
    assert images.resolve(image_id) == image_id
    assert images.delete(image_id)


def use_options(session: ksa_session.Session, url: str) -> None:
    """Use an option that adds keys to the images."""
    options = Options(api_version="2", extended=True)
    with ImageService(session, endpoint_override=url, options=options) as service:
        images = service.bound()
        image = typing.cast(ExtendedImage, images.create({"name": "typed", "tags": ["a"]}))
        tags: list[str] | None = image["tags"]
        assert tags == ["a"]
        assert images.delete(image["id"])


def make_mistakes(service: ImageService, images: BoundImageService) -> None:
    """Make mistakes that a type checker must find; never called."""
    service.show("id")  # type: ignore[call-arg]
    images.show(None, "id")  # type: ignore[arg-type]
    images.show("id", include_location=True)  # type: ignore[call-arg]
    images.update("id", "name")  # type: ignore[arg-type]
    images.download("id", dst_path=3)  # type: ignore[call-overload]
    images.download("id", dst_path="x").close()  # type: ignore[union-attr]
    images.show("id")["naem"]  # type: ignore[misc]
    images.show("id")["size"].lower()  # type: ignore[attr-defined]
    Options(api_version="3")  # type: ignore[arg-type]
