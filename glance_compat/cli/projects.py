# SPDX-License-Identifier: Apache-2.0
"""Find the id of a project by its name and domain, that of the user's own project, and names.

Glance stores the id of an image's project, not its name. A filter with a name would match no
image, without an error.

What must live here: requests for projects to the Identity service. What must not: code about
images.
"""

from __future__ import annotations

import argparse
import re
import typing
import urllib.parse
from collections.abc import Mapping

from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session

from glance_compat.cli.usage import UsageError
from glance_compat.redaction import quote_value, redact_url
from glance_compat.transport.error_mapping import plugin_errors

Project = Mapping[str, typing.Any]

#: Matches the ids that Keystone generates.
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def add_domain(parser: argparse.ArgumentParser) -> None:
    """Add the option for the domain of a project that is passed by name."""
    parser.add_argument(
        "--project-domain",
        metavar="DOMAIN",
        help="the domain of PROJECT (name or id), if projects of several domains have its name",
    )


def find_project_id(session: Session, name_or_id: str, domain: str | None = None) -> str:
    """Return the id of a project.

    As in ``openstack``, the value is looked up as an id first, then as a name. If the user may not
    read all projects, those that the user can log in to are searched. Without an Identity service
    the value is treated as an id.

    :param domain: the id or the name of the project's domain, or None for any domain.
    :raises glance_compat.cli.usage.UsageError: the name is empty, or no project or several
        projects have it.
    :raises glance_compat.exceptions.GlanceCompatError: the request to the Identity service failed.
    """
    if not name_or_id:
        raise UsageError("the project is empty: pass the id or the name of a project")
    plugin = session.auth
    if not isinstance(plugin, BaseIdentityPlugin):
        return name_or_id
    url = _identity_url(plugin)
    path = urllib.parse.quote(name_or_id, safe="")
    domain_id = None if domain is None else _find_domain_id(session, url, domain)
    with plugin_errors(f"looking for the project {quote_value(name_or_id)}"):
        if path not in ("", ".", "..") and _fetch(session, f"{url}/projects/{path}", "project"):
            return name_or_id
        query = f"name={urllib.parse.quote_plus(name_or_id)}"
        if domain_id is not None:
            query += f"&domain_id={urllib.parse.quote_plus(domain_id)}"
        named = _fetch(session, f"{url}/projects?{query}")
        found = named if named is not None else _fetch(session, f"{url}/auth/projects") or []
    ids = {
        str(one["id"])
        for one in found
        if name_or_id in (one.get("id"), one.get("name"))
        and domain_id in (None, one.get("domain_id"))
    }
    if len(ids) == 1:
        return ids.pop()
    if ids:
        raise UsageError(
            f"several projects are called {quote_value(name_or_id)}: pass --project-domain, or the"
            f" id of one of them, {', '.join(sorted(ids))}"
        )
    if named is None and _ID.fullmatch(name_or_id):
        return name_or_id
    search = "all projects" if named is not None else "the projects that you can log in to"
    raise UsageError(
        f"project {quote_value(name_or_id)} was not found: the Identity service at"
        f" {redact_url(url)} does not list it among {search}. Pass the project's id"
    )


def _find_domain_id(session: Session, url: str, name_or_id: str) -> str:
    """Return the id of a domain; the value itself, if the user may not read domains.

    :raises glance_compat.cli.usage.UsageError: no domain has that name.
    :raises glance_compat.exceptions.GlanceCompatError: the request to the Identity service failed.
    """
    path = urllib.parse.quote(name_or_id, safe="")
    query = urllib.parse.quote_plus(name_or_id)
    with plugin_errors(f"looking for the domain {quote_value(name_or_id)}"):
        if path not in ("", ".", "..") and _fetch(session, f"{url}/domains/{path}", "domain"):
            return name_or_id
        named = _fetch(session, f"{url}/domains?name={query}", "domains")
    if named is None:
        return name_or_id
    ids = [str(one["id"]) for one in named if one.get("name") == name_or_id]
    if len(ids) != 1:
        raise UsageError(
            f"domain {quote_value(name_or_id)} was not found: the Identity service at"
            f" {redact_url(url)} does not list it"
        )
    return ids[0]


def find_names(session: Session) -> dict[str, str]:
    """Return the names of the projects that the user may read, by id, for display.

    If the user may not read all projects, they are those that the user can log in to. Without an
    Identity service, or if it fails, none are returned, because the ids do as well.
    """
    plugin = session.auth
    if not isinstance(plugin, BaseIdentityPlugin):
        return {}
    url = _identity_url(plugin)
    try:
        found = _fetch(session, f"{url}/projects")
        if found is None:
            found = _fetch(session, f"{url}/auth/projects") or []
    except ksa_exceptions.ClientException:
        return {}
    return {str(one["id"]): str(one["name"]) for one in found if "name" in one}


def _identity_url(plugin: BaseIdentityPlugin) -> str:
    return f"{str(plugin.auth_url).rstrip('/').removesuffix('/v3')}/v3"


def own_project_id(session: Session) -> str | None:
    """Return the id of the project that the user is logged in to, or None if it is unknown.

    It is unknown without an Identity service, and if the user is logged in to no project.

    :raises glance_compat.exceptions.GlanceCompatError: the log-in failed.
    """
    plugin = session.auth
    if not isinstance(plugin, BaseIdentityPlugin):
        return None
    with plugin_errors("logging in"):
        return session.get_project_id() or None


def _fetch(session: Session, url: str, key: str = "projects") -> list[Project] | None:
    """Return projects, or None if the user may not read them.

    :raises keystoneauth1.exceptions.ClientException: the Identity service cannot be reached, or
        rejects the log-in.
    """
    response = session.get(url, raise_exc=False, headers={"Accept": "application/json"})
    if response.status_code in (403, 404):
        return None
    if response.status_code != 200:
        raise ksa_exceptions.from_response(response, "GET", url)
    try:
        body = response.json()
        found = body[key]
    except (ValueError, KeyError, TypeError):
        return None
    projects = found if isinstance(found, list) else [found]
    return [one for one in projects if isinstance(one, Mapping) and "id" in one]
