# SPDX-License-Identifier: Apache-2.0
"""The metadata that a copy must have, and its comparison with an image of the target.

What must live here: which attributes and properties a copy gets, and what is compared to decide
whether an image of the target is the copy. What must not: I/O, and whether a target can store the
metadata (see ``refusals``).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping

from glance_compat.audit.detectors import find_encoded_texts
from glance_compat.audit.percent_encoding import Confidence
from glance_compat.audit.records import NAME, PROPERTY
from glance_compat.copying.choices import Choices
from glance_compat.copying.references import replace_references
from glance_compat.metadata.changes import has_property
from glance_compat.metadata.property_names import SERVER_OWNED_PREFIX, is_reserved, property_to_str
from glance_compat.redaction import quote_value
from glance_compat.types import ExtendedImage

#: The end of the value of the source property while a copy lacks its members or its protection.
UNFINISHED = " unfinished"

_PLAIN = ("name", "container_format", "disk_format", "min_disk", "min_ram")


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """The metadata that a copy must have.

    :param source_id: the id of the source.
    :param base: values of attributes, by name. A ``visibility`` that is missing means that the
        image is not public, and that the target chooses between private and shared.
    :param properties: the properties as strings, without the source property; None if they are not
        copied.
    :param protected: whether the copy must be protected from deletion, which comes last, because a
        protected image cannot be removed if its upload fails.
    :param members: ids of the target's projects that the copy must be shared with.
    """

    source_id: str
    base: Mapping[str, typing.Any]
    properties: Mapping[str, str] | None
    protected: bool = False
    members: tuple[str, ...] = ()

    @property
    def is_finished_later(self) -> bool:
        """Whether something remains to be done when the data is stored."""
        return self.protected or bool(self.members)

    def attributes_of(self, existing: ExtendedImage) -> dict[str, typing.Any]:
        """Return the attributes to set on an image that exists."""
        base = dict(self.base)
        if "visibility" not in base and existing["is_public"]:
            base["is_public"] = False
        return base


def compute_wanted(
    image: ExtendedImage,
    choices: Choices,
    ids: Mapping[str, str],
    successor_property: str,
    members: tuple[str, ...] = (),
) -> Wanted:
    """Return the metadata that the copy of an image must have.

    :param ids: the id of each copy, by the id of its source.
    :param successor_property: the name of the property that links an image to its successor.
    :param members: ids of the target's projects that the copy must be shared with.
    """
    base: dict[str, typing.Any] = {
        name: value for name, value in image.items() if name in _PLAIN and value is not None
    }
    texts: dict[str, str] | None = None
    if choices.properties:
        followed = replace_references(image["properties"], successor_property, ids)
        texts = {
            name: property_to_str(value) or ""
            for name, value in followed.items()
            if not name.startswith(SERVER_OWNED_PREFIX) and name != choices.source_property
        }
    if choices.decode:
        base, texts = _decode(base, texts)
    visibility = _visibility_of(image, choices)
    if visibility is not None:
        base["visibility"] = visibility
    if choices.tags and image["tags"]:
        base["tags"] = image["tags"]
    if image["os_hidden"]:
        base["os_hidden"] = True
    return Wanted(image["id"], base, texts, bool(image["protected"]), members)


def _visibility_of(image: ExtendedImage, choices: Choices) -> str | None:
    if choices.visibility == "private":
        return "private"
    # Servers before v2.5 have no visibility "shared"; it is the default of all later ones.
    return None if image["visibility"] == "shared" else image["visibility"]


def _decode(
    base: dict[str, typing.Any], texts: dict[str, str] | None
) -> tuple[dict[str, typing.Any], dict[str, str] | None]:
    """Decode what python-glanceclient has percent-encoded, except where that is doubtful."""
    subjects = {PROPERTY + name: text for name, text in (texts or {}).items()}
    if "name" in base:
        subjects[NAME] = base["name"]
    found = dict(texts or {})
    for subject, _, decoding in find_encoded_texts(subjects):
        if decoding.confidence is Confidence.LOW:
            continue
        if subject == NAME:
            base = {**base, "name": decoding.text}
        else:
            found[subject.removeprefix(PROPERTY)] = decoding.text
    return base, None if texts is None else found


# ---------------------------------------------------------------------------------------------
# Comparison.


def is_same_data(image: ExtendedImage, other: ExtendedImage) -> bool:
    """Return whether two images have the same data: size, and every hash that both have.

    If they have no hash of the same algorithm, the size decides only if the first has no hash.
    """
    if image["size"] != other["size"]:
        return False
    compared = []
    if image["checksum"] and other["checksum"]:
        compared.append(image["checksum"].lower() == other["checksum"].lower())
    value, others = image["os_hash_value"], other["os_hash_value"]
    if value and others and image["os_hash_algo"] == other["os_hash_algo"]:
        compared.append(value.lower() == others.lower())
    if compared:
        return all(compared)
    return not image["size"] or not (image["checksum"] or image["os_hash_value"])


def find_differences(
    wanted: Wanted,
    existing: ExtendedImage,
    choices: Choices,
    match: Callable[[str], str] = str,
    members: frozenset[str] | None = None,
) -> list[str]:
    """Return the names of what an image of the target has not as it is wanted.

    :param match: a function that returns the name under which the target stores a property, such
        as :func:`glance_compat.metadata.property_names.fold_name` for v1.
    :param members: ids of the projects that the image is shared with; None if not compared.
    """
    return [
        *_different_attributes(wanted, existing, choices),
        *_different_properties(wanted, existing, choices, match),
        *(["members"] if members is not None and not members.issuperset(wanted.members) else []),
    ]


def _different_attributes(
    wanted: Wanted, existing: ExtendedImage, choices: Choices
) -> Iterator[str]:
    base = wanted.base
    if (base.get("name") or None) != (existing["name"] or None):
        yield "name"
    # An empty image may have no formats; the target fills them in.
    for name, value in existing.items():
        if name in _PLAIN and name != "name" and base.get(name, value) != value:
            yield name
    if wanted.protected and not existing["protected"]:
        yield "protected"
    if bool(base.get("os_hidden")) != bool(existing["os_hidden"]):
        yield "os_hidden"
    if _visibility_differs(base.get("visibility"), existing):
        yield "visibility"
    tags = existing["tags"] if choices.tags else None
    if tags is not None and sorted(base.get("tags", ())) != sorted(tags):
        yield "tags"


def _visibility_differs(visibility: str | None, existing: ExtendedImage) -> bool:
    if visibility is None or existing["visibility"] is None:
        return (visibility == "public") != existing["is_public"]
    # v1 cannot make an image private; it becomes shared, without members.
    return visibility != existing["visibility"]


def _different_properties(
    wanted: Wanted, existing: ExtendedImage, choices: Choices, match: Callable[[str], str]
) -> Iterator[str]:
    if wanted.properties is None:
        return
    stored = existing["properties"]
    expected = {match(name): text for name, text in wanted.properties.items()}
    for name, text in expected.items():
        if not has_property(stored, name, text) and not is_reserved(name):
            yield f"property {quote_value(name)}"
    for name in stored:
        is_own = name == choices.source_property or name.startswith(SERVER_OWNED_PREFIX)
        if name not in expected and not is_own and not is_reserved(name):
            yield f"property {quote_value(name)}"


# ---------------------------------------------------------------------------------------------
# The source property.


def source_value(source_id: str, *, finished: bool) -> str:
    """Return the value of the source property of a copy."""
    return source_id if finished else source_id + UNFINISHED


def parse_source(value: object) -> tuple[str, bool] | None:
    """Return the id in a source property, and whether the copy is finished; None if there is none.

    The property is only a claim: any user may write it to an image of their own.
    """
    if not isinstance(value, str) or not value:
        return None
    return value.removesuffix(UNFINISHED), not value.endswith(UNFINISHED)
