# SPDX-License-Identifier: Apache-2.0
"""The implementation for Images API v1, which sends metadata as headers and data as the body.

What must live here: the requests of v1, and the interpretation of its responses. What must not:
the names and formats of attributes (see ``metadata``), the choice of an API version, and retries.

``images`` has the requests of most calls; ``imports`` and ``members`` each add those of one area,
and ``missing`` has the calls that v1 cannot serve. The facts about the server were verified on
Glance 15.0.2, the last release with v1 that can still be installed.
"""

from __future__ import annotations

from glance_compat.backends.v1.imports import V1Imports
from glance_compat.backends.v1.members import V1Members
from glance_compat.backends.v1.missing import V1Missing


class V1(V1Imports, V1Members, V1Missing):
    """The Images API v1 of one endpoint."""
