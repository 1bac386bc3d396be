# SPDX-License-Identifier: Apache-2.0
"""What a caller may choose about copies, as one immutable dataclass."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.metadata.property_names import fold_name, is_reserved
from glance_compat.redaction import quote_value

Visibility = typing.Literal["keep", "private"]

#: The property of a copy that has the id of its source, unless the caller names another.
SOURCE_PROPERTY = "glance_compat_source"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a caller chooses about copies; see :func:`glance_compat.copying.copy_image`.

    :raises glance_compat.exceptions.Invalid: a value is invalid.
    """

    visibility: Visibility = "keep"
    properties: bool = True
    tags: bool = True
    members: Mapping[str, str] | None = None
    decode: bool = False
    update: bool = False
    source_property: str = SOURCE_PROPERTY

    def __post_init__(self) -> None:
        if self.visibility not in ("keep", "private"):
            raise exceptions.Invalid(
                f"visibility must be keep or private, not {quote_value(self.visibility)}"
            )
        for name in ("properties", "tags", "decode", "update"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise exceptions.Invalid(f"{name} must be True or False, not {quote_value(value)}")
        if self.members is not None and not _is_mapping_of_strings(self.members):
            raise exceptions.Invalid(
                "members must be a mapping of project ids of the source to project ids of the"
                f" target, or None, not {quote_value(self.members)}"
            )
        name = self.source_property
        if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
            raise exceptions.Invalid(
                "source_property must be a name of letters, digits and underscores, not"
                f" {quote_value(name)}"
            )
        if is_reserved(name) or fold_name(name) != name:
            raise exceptions.Invalid(
                f"source_property must not be {quote_value(name)}: the name is reserved, or v1"
                " would store another; use lower-case letters"
            )


def _is_mapping_of_strings(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(one, str) and one for pair in value.items() for one in pair
    )
