# SPDX-License-Identifier: Apache-2.0
"""What the cloud consists of: its servers, its users and what differs between them.

A server is one row of :data:`SERVERS`. Another variant of a release is another row: give it a
name, a region of its own and the options that differ. Rows with the same ``data`` share a database
and the image files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["identity", "registry", "image"]
Sections = Mapping[str, Mapping[str, str]]
"""The content of an INI file: section to option to value."""

KEYSTONE_30 = "keystone-30"
GLANCE_33 = "glance-33"
GLANCE_PIKE = "glance-15.0.2"

HOST = "127.0.0.1"
INTERFACES = ("public", "internal", "admin")


@dataclass(frozen=True)
class Server:
    """One process group that listens on one port.

    :param name: Unique; also the name of its directory.
    :param release: One of :data:`RELEASES`, which is also the name of its pin file and
        environment.
    :param data: The directory of database and image files; servers that name the same one share
        it.
    :param region: The region in which the catalog offers it as ``image``; None for the others.
    :param registry: The name of the glance-registry row that v1 uses.
    :param overrides: Options on top of those that every server of the release gets.
    :param schema: The content of ``schema-image.json``: property name to its JSON schema; empty:
        there is no such file.
    :param modules: Folders of further modules for its interpreter.
    """

    name: str
    release: str
    role: Role
    data: str
    region: str | None = None
    registry: str | None = None
    overrides: Sections = field(default_factory=dict)
    schema: Mapping[str, object] = field(default_factory=dict)
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class User:
    """A user with roles on exactly one project, both in the default domain."""

    name: str
    password: str
    project: str
    roles: tuple[str, ...]


#: The limits of the small server, so that tests reach them.
SMALL = {
    "api_limit_max": "3",
    "limit_param_default": "2",
    "image_property_quota": "5",
    "image_member_quota": "2",
    "image_tag_quota": "2",
    "image_size_cap": "50000",
}

#: Bytes of all images of a project, where that is limited.
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
    # Everything that a site may set tighter than it comes.
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
    # The properties that v2 knows are those of a file, some of which Glance 15.0.2 comes with.
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
                # Not where deletion is delayed: what waits to be deleted counts.
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

#: What operators may limit, so small that a few bytes reach it.
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

#: Servers with options that no other test wants; only who asks for them starts them.
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
    # Alone, since what waits for its deletion counts against quotas in Pike.
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
    # As a site that has left show_multiple_locations for the API that came after it.
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
