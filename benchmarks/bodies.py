# SPDX-License-Identifier: Apache-2.0
"""What the canned server answers, and the image data. Pure: no I/O.

No release of Glance offers v1 together with the hashes of v2.7. The canned server does, so that
one server serves every subject.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

TOKEN = "benchmark:project:member"

#: Bytes. What requests, urllib3 and this library read and send at a time.
BLOCK_BYTES = 256 * 1024

#: All image data is this pattern over and over: the rest does not depend on how it is cut.
BLOCK = bytes(range(256)) * (BLOCK_BYTES // 256)

#: Images. ``api_limit_max`` of Glance, and its ``limit_param_default``.
LARGEST_PAGE = 1000
USUAL_PAGE = 25

#: What a subject writes when it creates an image.
RECORD = {"name": "benchmark", "disk_format": "raw", "container_format": "bare"}

#: Twelve properties, as a cloud's own images have them.
PROPERTIES = {
    "architecture": "x86_64",
    "hw_disk_bus": "scsi",
    "hw_firmware_type": "uefi",
    "hw_machine_type": "q35",
    "hw_qemu_guest_agent": "yes",
    "hw_rng_model": "virtio",
    "hw_scsi_model": "virtio-scsi",
    "hw_vif_model": "virtio",
    "os_admin_user": "debian",
    "os_distro": "debian",
    "os_type": "linux",
    "os_version": "12.5",
}

#: Properties that ``audit`` has a finding for, each.
AWKWARD = {"Vendor": "example", "comment": "my%20image", "padding": "  two blanks"}

_TIMES = {"created_at": "2024-02-05T10:20:30Z", "updated_at": "2024-02-05T10:21:31Z"}
_LAST = (1 << 32) - 1
_TEXT = {"type": ["null", "string"], "maxLength": 255}
_NUMBER = {"type": ["null", "integer"]}


def image_id(number: int) -> str:
    """Return the id of the image with a number."""
    return str(uuid.UUID(int=(0x6E3F0C1E9A524B7D << 64) | (0x8A10 << 48) | number))


def number_of(image: str) -> int:
    """Return the number of the image with an id; see :func:`image_id`."""
    return uuid.UUID(image).int & _LAST


def data(size: int) -> Iterator[bytes]:
    """Yield image data of a size in bytes."""
    for _ in range(size // BLOCK_BYTES):
        yield BLOCK
    if size % BLOCK_BYTES:
        yield BLOCK[: size % BLOCK_BYTES]


def digest(algorithm: str, size: int) -> str:
    """Return the hash of the image data."""
    found = hashlib.new(algorithm, usedforsecurity=False)
    for block in data(size):
        found.update(block)
    return found.hexdigest()


class Bodies:
    """Records of as many images as wanted, all with the same data.

    :param count: images in the list.
    :param size: bytes of their data.
    :param awkward: whether they have the properties of :data:`AWKWARD` as well.
    """

    def __init__(self, count: int, size: int, *, awkward: bool = False) -> None:
        self._properties = PROPERTIES | AWKWARD if awkward else PROPERTIES
        self.count = count
        self.size = size
        self.md5 = digest("md5", size)
        self._sha512 = digest("sha512", size)

    def v2(self, image: str, status: str = "active") -> dict[str, Any]:
        """Return an image as v2.9 and later show it."""
        whole = status == "active"
        return {
            **self._properties,
            "id": image,
            "name": f"image {image[-6:]}",
            "disk_format": "raw",
            "container_format": "bare",
            "visibility": "shared",
            "size": self.size if whole else None,
            "virtual_size": None,
            "status": status,
            "checksum": self.md5 if whole else None,
            "os_hash_algo": "sha512" if whole else None,
            "os_hash_value": self._sha512 if whole else None,
            "os_hidden": False,
            "protected": False,
            "min_ram": 512,
            "min_disk": 10,
            "owner": "project",
            "tags": [],
            **_TIMES,
            "self": f"/v2/images/{image}",
            "file": f"/v2/images/{image}/file",
            "schema": "/v2/schemas/image",
        }

    def v1(self, image: str) -> dict[str, Any]:
        """Return an image as the lists of v1 show it."""
        return {
            "id": image,
            "name": f"image {image[-6:]}",
            "status": "active",
            "size": self.size,
            "virtual_size": None,
            "disk_format": "raw",
            "container_format": "bare",
            "min_disk": 10,
            "min_ram": 512,
            "is_public": False,
            "checksum": self.md5,
            "owner": "project",
            "protected": False,
            "deleted": False,
            **{name: f"{value[:-1]}.000000" for name, value in _TIMES.items()},
            "deleted_at": None,
            "properties": self._properties,
        }

    def v1_headers(self, image: str) -> dict[str, str]:
        """Return an image as HEAD and GET of v1 show it; nulls are left out."""
        record = self.v1(image)
        properties = record.pop("properties")
        shown = {f"x-image-meta-property-{name}": text for name, text in properties.items()}
        base = {f"x-image-meta-{k}": str(v) for k, v in record.items() if v is not None}
        return {**shown, **base, "ETag": self.md5}

    def page(self, api: str, start: int, size: int) -> bytes:
        """Return one page of a list as JSON."""
        record = self.v1 if api == "v1" else self.v2
        end = min(start + size, self.count)
        page: dict[str, Any] = {"images": [record(image_id(n)) for n in range(start, end)]}
        if api == "v2":
            page |= {"first": "/v2/images", "schema": "/v2/schemas/images"}
            if end - start == size:
                page["next"] = f"/v2/images?limit={size}&marker={image_id(end - 1)}"
        return json.dumps(page).encode()


def versions() -> bytes:
    """Return the version document: all of v2, and v1."""
    status = {17: "CURRENT"}
    offered = [(f"v2.{n}", "/v2/", status.get(n, "SUPPORTED")) for n in range(17, -1, -1)]
    offered += [("v1.1", "/v1/", "DEPRECATED"), ("v1.0", "/v1/", "DEPRECATED")]
    entries = [
        {"id": name, "status": state, "links": [{"rel": "self", "href": path}]}
        for name, path, state in offered
    ]
    return json.dumps({"versions": entries}).encode()


def schema() -> bytes:
    """Return the schema of an image, which glanceclient fetches and validates with."""
    texts = ("name", "owner", "checksum", "os_hash_algo", "os_hash_value", "visibility")
    plain = ("id", "status", "created_at", "updated_at", "self", "file", "schema")
    formats = ("disk_format", "container_format")
    properties: dict[str, Any] = dict.fromkeys((*texts, *formats), _TEXT)
    properties |= {name: {"type": "string"} for name in plain}
    properties |= dict.fromkeys(("size", "virtual_size"), _NUMBER)
    properties |= {name: {"type": "integer"} for name in ("min_ram", "min_disk")}
    properties |= {name: {"type": "boolean"} for name in ("protected", "os_hidden")}
    properties["tags"] = {"type": "array", "items": {"type": "string", "maxLength": 255}}
    whole = {
        "name": "image",
        "properties": properties,
        "additionalProperties": {"type": "string"},
        "links": [{"rel": "self", "href": "{self}"}],
    }
    return json.dumps(whole).encode()
