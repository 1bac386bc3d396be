# SPDX-License-Identifier: Apache-2.0
"""Recognise images that their owner or an operator should look after.

What must live here: one function or class for each kind of ``sanity_kinds``, as in ``detectors``.
What must not: comparisons of images (``comparisons``), I/O.
"""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Iterator

from glance_compat.audit.detectors import WITH_DATA
from glance_compat.audit.examinations import Examination
from glance_compat.audit.records import IMAGE, PROPERTY, ImageRecords, Match
from glance_compat.metadata.converters import ConversionError, to_datetime
from glance_compat.metadata.property_names import SIGNATURE_PROPERTIES
from glance_compat.redaction import quote_value

# ---------------------------------------------------------------------------------------------
# States.

#: Statuses that Glance itself ends, if nothing goes wrong.
_TEMPORARY = frozenset({"queued", "saving", "uploading", "importing", "pending_delete"})


class StuckImages(Examination):
    """Find images that are in a temporary state for too long."""

    def examine(self, image: ImageRecords) -> Iterator[Match]:
        """Yield a stuck image; see :class:`glance_compat.audit.examinations.Examination`."""
        if image.status not in _TEMPORARY:
            return
        try:
            since = to_datetime(image.attribute("updated_at") or image.attribute("created_at"))
        except ConversionError:
            return
        age = self._circumstances.now - since
        if age > self._circumstances.stuck_after:
            yield Match(IMAGE, f"its status is {image.status} for {_format_age(age)}")


def _format_age(age: datetime.timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"


# ---------------------------------------------------------------------------------------------
# Data.


def describe_small_min_disk(image: ImageRecords) -> str | None:
    size, min_disk = image.attribute("virtual_size"), image.attribute("min_disk")
    if not isinstance(size, int) or not isinstance(min_disk, int) or size <= min_disk << 30:
        return None
    return f"min_disk is {min_disk} GiB, virtual_size is {size} bytes ({-(-size >> 30)} GiB)"


#: The formats that Glance 33 accepts by default (glance/common/config.py), and those of older
#: releases.
_DISK_FORMATS = frozenset(
    {"ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop", "gpt"}
)
_CONTAINER_FORMATS = frozenset({"ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"})


def find_unusable_formats(image: ImageRecords) -> Iterator[Match]:
    if image.status not in WITH_DATA:
        return
    for name, known in (("disk_format", _DISK_FORMATS), ("container_format", _CONTAINER_FORMATS)):
        value = image.attribute(name)
        if value is None:
            yield Match(IMAGE, f"has data, but no {name}")
        elif value not in known:
            yield Match(IMAGE, f"{name} is {quote_value(value)}", value)


# ---------------------------------------------------------------------------------------------
# Properties.


class ForbiddenProperties(Examination):
    """Find properties whose values the metadata definitions of the cloud do not allow."""

    def examine(self, image: ImageRecords) -> Iterator[Match]:
        """Yield each such property."""
        properties = {name: text for name, text in image.properties.items() if text is not None}
        for name, allowed in self._circumstances.check_properties(properties).items():
            text = properties[name]
            yield Match(PROPERTY + name, f"is {quote_value(text)}, but must be {allowed}", text)


#: The hash methods and key types of cursive 0.2.4 (signature_utils.py). Those of elliptic curves
#: are ECC_ and the name of the curve.
_HASH_METHODS = frozenset({"SHA-224", "SHA-256", "SHA-384", "SHA-512"})
_KEY_TYPES = frozenset({"RSA-PSS", "DSA"})
_CURVE = "ECC_"


def describe_broken_signature(image: ImageRecords) -> str | None:
    texts = {name: image.properties.get(name) for name in SIGNATURE_PROPERTIES}
    if not any(texts.values()):
        return None
    missing = [name for name, text in texts.items() if not text]
    if missing:
        return f"has no {' and no '.join(missing)}"
    signature, method, key_type, _ = (text or "" for text in texts.values())
    if not _is_base64(signature):
        return f"{SIGNATURE_PROPERTIES[0]} is not Base64"
    if method not in _HASH_METHODS:
        return f"{SIGNATURE_PROPERTIES[1]} is {quote_value(method)}"
    if key_type not in _KEY_TYPES and not key_type.startswith(_CURVE):
        return f"{SIGNATURE_PROPERTIES[2]} is {quote_value(key_type)}"
    return None


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
