# SPDX-License-Identifier: Apache-2.0
"""The clients that are compared. A subject is a class with one method for each job that it can do.

``SUBJECTS`` names their classes and what has to be installed for them. Their modules are imported
only in the process of the subject, so that none pays for the imports of another. Methods:
``show``; ``list`` (a list of all images) and ``walk`` (over all images, none kept); ``download``
(verified) and ``download_unverified``; ``upload`` (verified) and ``upload_unverified``, which
return the id of the image; ``delete``.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from typing import Any

from benchmarks.targets import Target

#: JSON parsers that a client may use in place of the standard one.
FAST_PARSERS = ("msgspec",)

#: The API of subjects that ask no server.
NO_API = "-"


@dataclasses.dataclass(frozen=True)
class Subject:
    """One row of :data:`SUBJECTS`.

    :ivar place: module and class.
    :ivar needs: modules, of which one is enough.
    :ivar hides: modules that are made to look as if they were not installed.
    :ivar apis: those that it speaks.
    """

    place: str
    needs: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    apis: tuple[str, ...] = ("v1", "v2")

    def is_installed(self) -> bool:
        """Return whether this interpreter can run it."""
        return not self.needs or any(map(importlib.util.find_spec, self.needs))

    def create(self, target: Target, api: str) -> Any:
        """Import the class and create the client.

        :param api: one of ``apis``.
        """
        for name in self.hides:
            sys.modules[name] = None  # type: ignore[assignment]
        module, _, name = self.place.partition(":")
        found = getattr(importlib.import_module(f"benchmarks.subjects.{module}"), name)
        return found(target, api)


SUBJECTS = {
    "md5": Subject("floors:Md5", apis=(NO_API,)),
    "sha512": Subject("floors:Sha512", apis=(NO_API,)),
    "raw-socket": Subject("raw_socket:RawSocket"),
    "requests": Subject("plain_requests:Requests", ("requests",)),
    "requests-close": Subject("plain_requests:ClosingRequests", ("requests",)),
    "keystoneauth1": Subject("keystoneauth:Keystoneauth", ("keystoneauth1",)),
    "glanceclient": Subject("glance_client:GlanceClient", ("glanceclient",)),
    "openstacksdk": Subject("openstack_sdk:OpenStackSdk", ("openstack",), apis=("v2",)),
    "nova-34": Subject("nova_module:NovaModule", ("nova",), apis=("v2",)),
    "glance_compat": Subject("library:Library", ("glance_compat",)),
    "glance_compat-json": Subject("library:Library", FAST_PARSERS, hides=FAST_PARSERS),
}
