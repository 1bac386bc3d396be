# SPDX-License-Identifier: Apache-2.0
"""Metadata definitions over v2."""

from __future__ import annotations

from collections.abc import Sequence

from glance_compat import exceptions
from glance_compat.backends.v2.images import V2Images
from glance_compat.transport.messages import Request, Response


class V2Definitions(V2Images):
    """The requests for metadata definitions."""

    def get_metadefs(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Response:
        self._require("property-definitions", "property definitions")
        return self._transport.send(
            Request(
                method="GET",
                path=f"/v2/metadefs/{path}",
                params=params,
                errors=exceptions.STATUS_ERRORS["definitions"],
            )
        )
