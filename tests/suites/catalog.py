# SPDX-License-Identifier: Apache-2.0
"""The suites, the servers that they need, and the tests whose outcomes cannot be equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.functional.cloud.environments import SUITES as CURRENT
from tests.functional.cloud.environments import SUITES_OLD as OLD

#: Options of ``serve`` for the configuration that all real servers of the cloud have.
_LOCATIONS = {"show_multiple_locations": "true", "show_image_direct_url": "true"}
_HTTP_STORE = {"enabled_backends": "fast:file,slow:file,web:http"}


@dataclass(frozen=True)
class Suite:
    """A suite of another project, and the server that it runs against.

    :ivar environment: the environment with its packages.
    :ivar packages: the packages of its tests.
    :ivar release: release that ``serve`` emulates.
    :ivar region: region of the real cloud with the same release and configuration.
    :ivar apis: the APIs that ``serve`` offers.
    :ivar options: options of glance-api.conf for ``serve``.
    :ivar is_fast: whether the suite is in every CI run.
    :ivar unequal: why a test cannot have the outcome that it has with the real server, by its id.
    """

    environment: str
    packages: tuple[str, ...]
    release: str
    region: str
    apis: str
    options: Mapping[str, str] = field(default_factory=dict)
    is_fast: bool = False
    unequal: Mapping[str, str] = field(default_factory=dict)


_TEMPEST = ("tempest.api.image",)

SUITES: Mapping[str, Suite] = {
    # Tempest's defaults for image.
    "tempest-47": Suite(
        CURRENT,
        _TEMPEST,
        *("33", "glance-33", "v2"),
        _LOCATIONS,
        unequal={
            "tempest.api.image.v2.test_images.ImportImagesTest.test_image_web_download_import": (
                "the real server refuses to import from loopback"
            ),
        },
    ),
    # With the tests of locations as well, which need an http store.
    "tempest-47-locations": Suite(
        CURRENT, _TEMPEST, "33", "33-web", "v2", {**_LOCATIONS, **_HTTP_STORE}, is_fast=True
    ),
    "openstacksdk": Suite(
        CURRENT,
        ("openstack.tests.functional.image",),
        *("33", "glance-33", "v2"),
        _LOCATIONS,
        is_fast=True,
    ),
    "openstackclient": Suite(
        CURRENT,
        ("openstackclient.tests.functional.image",),
        *("33", "glance-33", "v2"),
        _LOCATIONS,
    ),
    "glanceclient": Suite(
        CURRENT,
        ("glanceclient.tests.functional",),
        *("33", "glance-33", "v2"),
        _LOCATIONS,
        is_fast=True,
    ),
    "glanceclient-pike": Suite(
        CURRENT, ("glanceclient.tests.functional",), "pike", "pike", "v1,v2", _LOCATIONS
    ),
    "tempest-17": Suite(OLD, _TEMPEST, "pike", "pike", "v1,v2", _LOCATIONS),
    "tempest-17-v1": Suite(OLD, _TEMPEST, "pike", "pike-v1", "v1", _LOCATIONS),
}
