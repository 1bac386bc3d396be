# SPDX-License-Identifier: Apache-2.0
"""Create the images of the corpus, each with its client."""

from __future__ import annotations

import io
import uuid
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from tests.contract.shape import FORMATS
from tests.contract.targets import Target
from tests.functional.corpus.images import Entry


def make(target: Target, entry: Entry) -> str:
    """Create one image of the table.

    :param target: a target with both APIs at its wide URL.
    :returns: the id of the image.
    """
    image_id = _MAKERS[entry.maker](target, entry)
    for user, status in entry.shares.items():
        target.share(image_id, user, None if status == "pending" else status, entry.owner)
    for state in entry.states:
        _STATES[state](target, image_id)
    return image_id


def _meta_of(entry: Entry) -> dict[str, Any]:
    meta = {"name": entry.about, **FORMATS, **entry.meta}
    if meta.get("id") == "(undashed)":
        meta["id"] = uuid.uuid4().hex
    return {key: value for key, value in meta.items() if value is not None or key == "name"}


def _over_v1(target: Target, entry: Entry) -> str:
    headers = {
        f"x-image-meta-{key}": str(value)
        for key, value in _meta_of(entry).items()
        if value is not None
    }
    headers |= {f"x-image-meta-property-{key}": value for key, value in entry.properties.items()}
    body = b"longer than declared" if "killed" in entry.states else entry.data
    if body is not None:
        headers["Content-Type"] = "application/octet-stream"
    if "killed" in entry.states:
        headers["x-image-meta-size"] = "1"
        headers["x-image-meta-id"] = str(uuid.uuid4())
    answer = target.send("POST", "/v1/images", user=entry.owner, headers=headers, data=body)
    if "killed" in entry.states:
        assert answer.status_code == 400, answer.text
        target.made.append(headers["x-image-meta-id"])
        return headers["x-image-meta-id"]
    assert answer.status_code == 201, answer.text
    return str(answer.json()["image"]["id"])


def _over_v2(target: Target, entry: Entry) -> str:
    record = {**_meta_of(entry), **entry.properties}
    answer = target.send("POST", "/v2/images", user=entry.owner, json=record)
    assert answer.status_code == 201, answer.text
    image_id = str(answer.json()["id"])
    if entry.data is not None:
        target.upload(image_id, entry.data, entry.owner)
    return image_id


def _client(target: Target, version: str, user: str) -> Any:
    with warnings.catch_warnings():
        # Some of its imports are deprecated.
        warnings.simplefilter("ignore")
        from glanceclient import client

        return client.Client(
            version, session=target.session(user), endpoint_override=target.wide_url
        )


def _by_client_v1(target: Target, entry: Entry) -> str:
    client = _client(target, "1", entry.owner)
    data = {"data": io.BytesIO(entry.data)} if entry.data is not None else {}
    image = client.images.create(**_meta_of(entry), properties=dict(entry.properties), **data)
    return str(image.id)


def _by_client_v2(target: Target, entry: Entry) -> str:
    client = _client(target, "2", entry.owner)
    image = client.images.create(**_meta_of(entry), **entry.properties)
    if entry.data is not None:
        client.images.upload(image["id"], io.BytesIO(entry.data))
    return str(image["id"])


_MAKERS: Mapping[str, Callable[[Target, Entry], str]] = {
    "v1": _over_v1,
    "v2": _over_v2,
    "glanceclient v1": _by_client_v1,
    "glanceclient v2": _by_client_v2,
}


def _delete(target: Target, image_id: str) -> None:
    answer = target.send("DELETE", f"/v2/images/{image_id}", user="admin")
    assert answer.status_code == 204, answer.text


_STATES: Mapping[str, Callable[[Target, str], None]] = {
    "deactivated": Target.deactivate,
    "deleted": _delete,
    "killed": lambda target, image_id: None,
    "public": Target.publish,
}
