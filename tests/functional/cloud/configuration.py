# SPDX-License-Identifier: Apache-2.0
"""The configuration files of the servers, computed from the topology and the ports; no I/O."""

from __future__ import annotations

import configparser
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.functional.cloud.layout import Layout
from tests.functional.cloud.topology import (
    GLANCE_33,
    GLANCE_PIKE,
    HOST,
    KEYSTONE_30,
    SERVICE,
    Sections,
    Server,
)

GUNICORN_FILE = "gunicorn.conf.py"
PROTECTIONS_FILE = "property-protections.conf"

# The policy.json of the source archive of 15.0.2 (its wheel has none): the policies of each
# rule.
PIKE_RULES = {
    "": (
        "add_image delete_image get_image get_images modify_image communitize_image copy_from "
        "download_image upload_image delete_image_location get_image_location set_image_location "
        "add_member delete_member get_member get_members modify_member "
        "get_task get_tasks add_task modify_task deactivate reactivate "
        "get_metadef_namespace get_metadef_namespaces modify_metadef_namespace "
        "add_metadef_namespace get_metadef_object get_metadef_objects modify_metadef_object "
        "add_metadef_object list_metadef_resource_types get_metadef_resource_type "
        "add_metadef_resource_type_association get_metadef_property get_metadef_properties "
        "modify_metadef_property add_metadef_property get_metadef_tag get_metadef_tags "
        "modify_metadef_tag add_metadef_tag add_metadef_tags"
    ),
    "role:admin": "context_is_admin default publicize_image manage_image_cache tasks_api_access",
}

# The keystone pipelines of 15.0.2, without filters that need other files (healthcheck) or
# are off by default.
PIKE_PASTE: Sections = {
    "pipeline:glance-api": {
        "pipeline": "http_proxy_to_wsgi versionnegotiation authtoken context rootapp"
    },
    "pipeline:glance-registry": {"pipeline": "registry-authtoken context registryapp"},
    "composite:rootapp": {
        "paste.composite_factory": "glance.api:root_app_factory",
        "/": "apiversions",
        "/v1": "apiv1app",
        "/v2": "apiv2app",
    },
    "app:apiversions": {"paste.app_factory": "glance.api.versions:create_resource"},
    "app:apiv1app": {"paste.app_factory": "glance.api.v1.router:API.factory"},
    "app:apiv2app": {"paste.app_factory": "glance.api.v2.router:API.factory"},
    "app:registryapp": {"paste.app_factory": "glance.registry.api:API.factory"},
    "filter:http_proxy_to_wsgi": {
        "paste.filter_factory": "oslo_middleware:HTTPProxyToWSGI.factory"
    },
    "filter:versionnegotiation": {
        "paste.filter_factory": (
            "glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory"
        )
    },
    "filter:context": {
        "paste.filter_factory": "glance.api.middleware.context:ContextMiddleware.factory"
    },
    "filter:authtoken": {
        "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
        "delay_auth_decision": "true",
    },
    "filter:registry-authtoken": {
        "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory"
    },
}


@dataclass(frozen=True)
class Site:
    """Input of a configuration besides the server's row: paths, and the ports of all servers."""

    layout: Layout
    ports: Mapping[str, int]

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    def data(self, server: Server, name: str) -> str:
        return str(self.layout.data(server.data) / name)


def ini(sections: Sections) -> str:
    """Return the sections as the text of an INI file."""
    parser = configparser.RawConfigParser()
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def merged(first: Sections, second: Sections) -> Sections:
    """Merge two configurations; options of the second one override those of the first."""
    return {name: {**first.get(name, {}), **second.get(name, {})} for name in [*first, *second]}


def files_of(server: Server, site: Site) -> dict[str, str]:
    """Return the configuration files of a server, name to content."""
    files = _FILES[server.release](server, site)
    return {**files, PROTECTIONS_FILE: ini(server.protections)} if server.protections else files


def _protections(server: Server, site: Site) -> dict[str, str]:
    path = site.layout.server(server.name) / PROTECTIONS_FILE
    return {"property_protection_file": str(path)} if server.protections else {}


def _keystone(server: Server, site: Site) -> dict[str, str]:
    sections = {
        "database": _database(server, site),
        "fernet_tokens": {"key_repository": site.data(server, "fernet-keys")},
        # `fernet_setup` creates this repository too, by default below /etc.
        "fernet_receipts": {"key_repository": site.data(server, "fernet-keys")},
        "credential": {"key_repository": site.data(server, "credential-keys")},
        # The minimum cost of bcrypt, because the passwords are test constants.
        "identity": {"password_hash_algorithm": "bcrypt", "password_hash_rounds": "4"},
        "cache": {"enabled": "True", "backend": "dogpile.cache.memory"},
    }
    return {
        "keystone.conf": ini(merged(sections, server.overrides)),
        GUNICORN_FILE: _gunicorn("keystone.wsgi.api:application", site.ports[server.name]),
    }


def _glance_33(server: Server, site: Site) -> dict[str, str]:
    def store(name: str) -> dict[str, str]:
        return {"filesystem_store_datadir": site.data(server, name)}

    sections = {
        "DEFAULT": {
            "enabled_backends": "fast:file, slow:file",
            "worker_self_reference_url": site.url(server.name),
            "show_image_direct_url": "True",
            "show_multiple_locations": "True",
            **_protections(server, site),
        },
        "glance_store": {"default_backend": "fast"},
        "fast": store("fast"),
        "slow": store("slow"),
        "os_glance_staging_store": store("staging"),
        "os_glance_tasks_store": store("tasks"),
        "database": _database(server, site),
        "oslo_concurrency": {"lock_path": site.data(server, "locks")},
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": str(
                site.layout.environment(server.release) / "etc/glance/glance-api-paste.ini"
            ),
        },
        "keystone_authtoken": {"www_authenticate_uri": site.url("keystone"), **_authtoken(site)},
    }
    return {
        "glance-api.conf": ini(merged(sections, server.overrides)),
        GUNICORN_FILE: _gunicorn("glance.wsgi.api:application", site.ports[server.name]),
    }


def _pike(server: Server, site: Site) -> dict[str, str]:
    directory = site.layout.server(server.name)
    sections: Sections = {
        "DEFAULT": {"bind_host": HOST, "bind_port": str(site.ports[server.name]), "workers": "1"},
        "database": _database(server, site),
        "oslo_concurrency": {"lock_path": site.data(server, "locks")},
        "oslo_policy": {"policy_file": str(directory / "policy.json")},
        "paste_deploy": {"config_file": str(directory / "paste.ini")},
        "keystone_authtoken": {"auth_uri": site.url("keystone"), **_authtoken(site)},
    }
    if server.role == "image":
        sections = merged(sections, _pike_image(server, site))
    rules = {name: rule for rule, names in PIKE_RULES.items() for name in names.split()}
    # Glance searches the file in the directory of the configuration.
    schema = {"schema-image.json": json.dumps(server.schema, indent=1)} if server.schema else {}
    return {
        **schema,
        "glance.conf": ini(merged(sections, server.overrides)),
        "paste.ini": ini(PIKE_PASTE),
        "policy.json": json.dumps(rules, indent=1),
    }


def _pike_image(server: Server, site: Site) -> Sections:
    registry = (
        {"registry_host": HOST, "registry_port": str(site.ports[server.registry])}
        if server.registry
        else {}
    )
    return {
        "DEFAULT": {
            **registry,
            **_protections(server, site),
            "enable_v1_registry": "True",
            "show_image_direct_url": "True",
            "show_multiple_locations": "True",
            "node_staging_uri": Path(site.data(server, "staging")).as_uri(),
        },
        "glance_store": {
            "stores": "file,http",
            "default_store": "file",
            "filesystem_store_datadir": site.data(server, "images"),
        },
    }


_FILES = {KEYSTONE_30: _keystone, GLANCE_33: _glance_33, GLANCE_PIKE: _pike}


def database_file(server: Server, layout: Layout) -> Path:
    return layout.data(server.data) / "database.sqlite"


def _database(server: Server, site: Site) -> dict[str, str]:
    # Several processes write to one file: they wait for each other (timeout in seconds), and the
    # data does not need fsync.
    return {
        "connection": f"sqlite:///{database_file(server, site.layout)}?timeout=60",
        "sqlite_synchronous": "False",
    }


def _authtoken(site: Site) -> dict[str, str]:
    return {
        "auth_url": site.url("keystone"),
        "auth_type": "password",
        "username": SERVICE.name,
        "password": SERVICE.password,
        "project_name": SERVICE.project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }


def _gunicorn(application: str, port: int) -> str:
    settings = {
        "wsgi_app": application,
        "bind": f"{HOST}:{port}",
        "worker_class": "gthread",
        "workers": 1,
        "threads": 8,
        "graceful_timeout": 3,
        "control_socket_disable": True,
    }
    return "".join(f"{name} = {value!r}\n" for name, value in settings.items())
