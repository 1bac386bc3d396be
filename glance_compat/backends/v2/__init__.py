# SPDX-License-Identifier: Apache-2.0
"""The implementation for Images API v2: metadata as JSON, data in separate requests.

What must live here: the requests of v2, and the interpretation of its responses. What must not:
the names and formats of attributes (see ``metadata``), the choice of an API version, and retries.

``images`` has the requests of most calls. The other modules each add the requests of one area. The
facts about the server were verified on Glance 15.0.2 and 33.
"""

from __future__ import annotations

from glance_compat.backends.v2.definitions import V2Definitions
from glance_compat.backends.v2.imports import V2Imports
from glance_compat.backends.v2.locations import V2Locations
from glance_compat.backends.v2.members import V2Members
from glance_compat.backends.v2.status import V2Status
from glance_compat.backends.v2.stores import V2Stores


class V2(V2Definitions, V2Imports, V2Locations, V2Members, V2Status, V2Stores):
    """The Images API v2 of one endpoint."""
