# SPDX-License-Identifier: Apache-2.0
"""The calls that need a capability, and the servers; docs/capabilities is generated from this."""

from __future__ import annotations

import dataclasses
from typing import Literal

from glance_compat import ImageService
from glance_compat.discovery.versions import CAPABILITIES
from glance_compat.fixture import GlanceFixture
from glance_compat.fixture.glance.releases import RELEASES
from glance_compat.metadata.fields import FIELDS, Access
from glance_compat.metadata.filters import FILTERS


def calls_that_need(capability: str) -> list[str]:
    """Return the calls that need a capability: methods, with the attribute or filter if any."""
    needing = list(CAPABILITIES[capability].methods)
    for field in FIELDS:
        named = [field.name] if field.capability == capability else []
        for value, feature in field.value_features.items():
            named += [f"{field.name}={value}"] if feature.capability == capability else []
        if field.access is Access.WRITE:
            needing += [f"{method}({one})" for one in named for method in ("create", "update")]
    needing += [f"detail({row.name})" for row in FILTERS if row.capability == capability]
    return needing


#: The calls that need a capability, with the capability of each.
CALLS = {call: name for name in CAPABILITIES for call in calls_that_need(name)}

#: Calls that work on servers without the capability if an option is set, with its name.
OPTIONAL = {
    call: CAPABILITIES[name].option
    for call, name in CALLS.items()
    if CAPABILITIES[name].option and call in CAPABILITIES[name].methods
}

#: Calls that v1 has without the capability, which is one of v2 only.
ON_V1_TOO = {"create(store)", "update(store)", "import_image(uri)"}

#: Calls that v2 has with another capability, because theirs is one of v1 only.
ON_V2_TOO = {"create(copy_from)": "web-download"}


@dataclasses.dataclass(frozen=True)
class Server:
    """One API of one emulated release.

    :param release: the name of the release.
    """

    api: Literal["v1", "v2"]
    release: str

    def __str__(self) -> str:
        return f"{self.api}, {self.release}"


SERVERS = [
    Server(api, name)
    for name, release in RELEASES.items()
    for api in ("v1", "v2")
    if api in release.apis
]


def capabilities_of(server: Server) -> frozenset[str]:
    """Return the capabilities of a server, with the import methods that it has enabled."""
    methods = RELEASES[server.release].import_methods if server.api == "v2" else ()
    with GlanceFixture((server.api,), release=server.release) as glance:
        return ImageService(glance.session()).discover().capabilities.union(methods)


def needed_by(call: str, api: str) -> set[str]:
    """Return the capabilities that a call needs over an API."""
    needed = ON_V2_TOO.get(call, CALLS[call]) if api == "v2" else CALLS[call]
    return {needed, CAPABILITIES[needed].requires} - {""}


def is_offered(call: str, api: str, capabilities: frozenset[str]) -> bool:
    """Return whether a server with these capabilities permits a call."""
    return needed_by(call, api) <= capabilities or (api == "v1" and call in ON_V1_TOO)
