# SPDX-License-Identifier: Apache-2.0
"""The constructor arguments of ImageService, as one immutable dataclass.

What must live here: the dataclass that ``conf`` and ``from_glanceclient`` return. What must not:
the checks of the arguments (see ``service`` and ``routing``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session

from glance_compat.options import Options


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceArguments:
    """The arguments of :class:`glance_compat.ImageService`; see there for their meaning."""

    session: ksa_session.Session
    auth: ksa_plugin.BaseAuthPlugin | None = None
    endpoint_override: str | Sequence[str] | None = None
    region_name: str | None = None
    interface: str | Sequence[str] | None = None
    service_type: str = "image"
    service_name: str | None = None
    options: Options = dataclasses.field(default_factory=Options)
