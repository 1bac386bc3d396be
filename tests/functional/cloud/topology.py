# SPDX-License-Identifier: Apache-2.0
"""The topology of the cloud: its servers, its users and their differences.

A server is one row of :data:`SERVERS`. For a variant of a release, add a row with its own
name, region and options. Rows with the same ``data`` share a database
and the image files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["identity", "registry", "image"]
Sections = Mapping[str, Mapping[str, str]]
"""The values in an INI file, by section and option."""

KEYSTONE_30 = "keystone-30"
GLANCE_33 = "glance-33"
GLANCE_PIKE = "glance-15.0.2"

HOST = "127.0.0.1"
INTERFACES = ("public", "internal", "admin")


@dataclass(frozen=True)
class Server:
    """One process group that listens on one port.

    :param name: a unique name, which is also the name of the directory.
    :param release: one of :data:`RELEASES`, which is also the name of its pin file and
        environment.
    :param data: the directory of database and image files; servers with the same one share
        it.
    :param region: the region in which the catalog lists it as ``image``, or None.
    :param registry: the name of the glance-registry row that v1 uses.
    :param overrides: options in addition to those of all servers of the release.
    :param schema: the content of ``schema-image.json``: the JSON schemas by property name; empty:
        there is no such file.
    :param protections: the content of its file of property protections, by section and option;
        empty: there is no such file.
    :param modules: folders with additional modules for its interpreter.
    """

    name: str
    release: str
    role: Role
    data: str
    region: str | None = None
    registry: str | None = None
    overrides: Sections = field(default_factory=dict)
    schema: Mapping[str, object] = field(default_factory=dict)
    protections: Sections = field(default_factory=dict)
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class User:
    """A user with roles on exactly one project, both in the default domain."""

    name: str
    password: str
    project: str
    roles: tuple[str, ...]


#: The limits of the small server, low enough for tests to reach them.
SMALL = {
    "api_limit_max": "3",
    "limit_param_default": "2",
    "image_property_quota": "5",
    "image_member_quota": "2",
    "image_tag_quota": "2",
    "image_size_cap": "50000",
}

#: The storage quota of a project, in bytes, on servers that have one.
STORAGE_QUOTA = "120000"

_UUID_OR_NULL = {
    "type": ["null", "string"],
    "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}"
    "-([0-9a-fA-F]){12}$",
}

SERVERS = (
    Server("keystone", KEYSTONE_30, "identity", data="keystone"),
    Server("pike-registry", GLANCE_PIKE, "registry", data="pike"),
    Server("pike", GLANCE_PIKE, "image", data="pike", region="pike", registry="pike-registry"),
    Server(
        "pike-v1",
        GLANCE_PIKE,
        "image",
        data="pike",
        region="pike-v1",
        registry="pike-registry",
        overrides={"DEFAULT": {"enable_v2_api": "False"}},
    ),
    Server(
        "pike-v2",
        GLANCE_PIKE,
        "image",
        data="pike",
        region="pike-v2",
        overrides={"DEFAULT": {"enable_v1_api": "False", "enable_v1_registry": "False"}},
    ),
    Server(
        "pike-small-registry",
        GLANCE_PIKE,
        "registry",
        data="pike-small",
        overrides={"DEFAULT": SMALL},
    ),
    # All limits that an operator can lower.
    Server(
        "pike-small",
        GLANCE_PIKE,
        "image",
        data="pike-small",
        region="pike-small",
        registry="pike-small-registry",
        overrides={
            "DEFAULT": {
                **SMALL,
                "delayed_delete": "True",
                "show_image_direct_url": "False",
                "show_multiple_locations": "False",
            }
        },
    ),
    # v2 permits only the properties in a file, some of which Glance 15.0.2 ships.
    Server(
        "pike-schema",
        GLANCE_PIKE,
        "image",
        data="pike-small",
        region="pike-schema",
        registry="pike-small-registry",
        overrides={
            "DEFAULT": {
                "allow_additional_image_properties": "False",
                # Not with delayed deletion, because images in pending_delete count.
                "user_storage_quota": STORAGE_QUOTA,
            }
        },
        schema={
            "kernel_id": _UUID_OR_NULL,
            "architecture": {"type": "string"},
            "os_distro": {"type": "string"},
        },
    ),
    Server("glance-33", GLANCE_33, "image", data="glance-33", region="glance-33"),
)

#: Limits of operators, low enough for a few bytes to reach them.
LIMITS = {
    "image_property_quota": "3",
    "image_tag_quota": "2",
    "image_member_quota": "2",
    "image_location_quota": "2",
    "image_size_cap": "150",
    "user_storage_quota": "100",
    "limit_param_default": "2",
    "api_limit_max": "3",
}

_FROM_LOOPBACK = {"import_filtering_opts": {"allowed_ports": "[]", "allowed_hosts": "[127.0.0.1]"}}

#: Property protections by roles. The first section that matches a name decides.
PROTECTIONS: Sections = {
    section: dict(zip(("create", "read", "update", "delete"), roles.split(), strict=True))
    for section, roles in {
        "^x_secret": "admin admin admin admin",
        "^x_fixed$": "ADMIN,member @ admin !",
        "^x_kept$": "@ @ @ admin",
        "^x_blind$": "@ admin @ @",
        "x_closed": "! ! ! !",
        ".*": "@ @ @ @",
    }.items()
}

#: Servers with special options; they start only if a test requests them.
VARIANTS = (
    Server(
        "pike-tight-registry",
        GLANCE_PIKE,
        "registry",
        data="pike-tight",
        overrides={"DEFAULT": {"limit_param_default": "2", "api_limit_max": "3"}},
    ),
    Server(
        "pike-tight",
        GLANCE_PIKE,
        "image",
        data="pike-tight",
        region="pike-tight",
        registry="pike-tight-registry",
        overrides={"DEFAULT": {**LIMITS, "enable_image_import": "True"}},
    ),
    # Separate, because images in pending_delete count against quotas in Pike.
    Server(
        "pike-delayed",
        GLANCE_PIKE,
        "image",
        data="pike",
        region="pike-delayed",
        registry="pike-registry",
        overrides={"DEFAULT": {"delayed_delete": "True"}},
    ),
    Server(
        "pike-protected",
        GLANCE_PIKE,
        "image",
        data="pike",
        region="pike-protected",
        registry="pike-registry",
        protections=PROTECTIONS,
    ),
    Server(
        "33-protected",
        GLANCE_33,
        "image",
        data="glance-33",
        region="33-protected",
        protections=PROTECTIONS,
    ),
    Server(
        "33-tight",
        GLANCE_33,
        "image",
        data="33-tight",
        region="33-tight",
        overrides={"DEFAULT": {**LIMITS, "delayed_delete": "True"}},
    ),
    Server(
        "33-web",
        GLANCE_33,
        "image",
        data="33-web",
        region="33-web",
        overrides={
            "DEFAULT": {"enabled_backends": "fast:file, slow:file, web:http"},
            **_FROM_LOOPBACK,
        },
    ),
    # Tests stop its registry.
    Server("pike-alone-registry", GLANCE_PIKE, "registry", data="pike-alone"),
    Server(
        "pike-alone",
        GLANCE_PIKE,
        "image",
        data="pike-alone",
        region="pike-alone",
        registry="pike-alone-registry",
    ),
    Server(
        "33-delayed",
        GLANCE_33,
        "image",
        data="33-delayed",
        region="33-delayed",
        overrides={"DEFAULT": {"delayed_delete": "True"}},
    ),
    # Tests damage one of its stores.
    Server(
        "33-stores",
        GLANCE_33,
        "image",
        data="33-stores",
        region="33-stores",
        overrides=_FROM_LOOPBACK,
    ),
    # Like a cloud that replaced show_multiple_locations by the locations API.
    Server(
        "33-web-unshown",
        GLANCE_33,
        "image",
        data="33-web",
        region="33-web-unshown",
        overrides={
            "DEFAULT": {
                "enabled_backends": "fast:file, slow:file, web:http",
                "show_image_direct_url": "False",
                "show_multiple_locations": "False",
                "do_secure_hash": "False",
            },
            **_FROM_LOOPBACK,
        },
    ),
)

ADMIN = User("admin", "admin-password", "admin", ("admin",))
SERVICE = User("glance", "glance-password", "service", ("admin", "service"))
USERS = (
    ADMIN,
    SERVICE,
    User("demo", "demo-password", "demo", ("member",)),
    User("other", "other-password", "other", ("member",)),
    User("stranger", "stranger-password", "stranger", ("member",)),
)
