# SPDX-License-Identifier: Apache-2.0
"""Who is asking: what a context says of its token, its project and its endpoint.

A context is anything: None; an object with a callable ``get_auth_plugin``; or one with
``auth_token``, as Nova's RequestContext. With a token of its own, only that token goes to Glance,
never the rights of the service that passes it on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import exceptions
from glance_compat.options import Options
from glance_compat.redaction import redact_url
from glance_compat.routing.catalog import (
    Catalog,
    endpoint_of_context,
    endpoint_of_plugin,
    every_endpoint_of,
)
from glance_compat.transport.client import Identity
from glance_compat.transport.error_mapping import plugin_errors
from glance_compat.transport.sessions import auth_session
from glance_compat.urls import is_http


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """One context's identity.

    :param session: for what plugins ask the identity service.
    :param plugin: whose token is sent; None: the session's own plugin.
    :param own: the service's own plugin, for its catalog only.
    :param entries: the context's own service catalog, or None.
    :param roles: role names, or None where the context does not tell.
    """

    session: ksa_session.Session
    plugin: ksa_plugin.BaseAuthPlugin | None
    own: ksa_plugin.BaseAuthPlugin | None
    entries: object
    roles: tuple[str, ...] | None
    request_id: str | None
    project_id: str | None

    def identity(self) -> Identity:
        """What requests need of it."""
        return Identity(
            auth=self.plugin,
            request_id=self.request_id,
            project_id=self.project_id,
            may_be_admin=self.may_be_admin,
        )

    def may_be_admin(self) -> bool:
        """Whether the caller may have an admin's rights; True where nobody can tell."""
        roles = self.roles
        plugin = typing.cast(typing.Any, self.plugin or self.session.auth)
        if roles is None and hasattr(plugin, "get_access"):
            with plugin_errors("asking for the caller's roles"):
                roles = tuple(plugin.get_access(self.session).role_names)
        return roles is None or any("admin" in role.lower() for role in roles)

    def endpoint(self, catalog: Catalog) -> str:
        """The endpoint that a catalog names: the context's own, else its plugin's, else the
        service's.

        :raises glance_compat.exceptions.NoUsableVersion: none of them does.
        """
        found = endpoint_of_context(self.entries, catalog)
        for plugin in dict.fromkeys((self.plugin, self.own, self.session.auth)):
            if found is None and plugin is not None:
                with contextlib.suppress(exceptions.NoUsableVersion):
                    found = endpoint_of_plugin(self.session, plugin, catalog)
        if found is None:
            raise exceptions.NoUsableVersion(
                f"the catalog has no endpoint of {catalog.in_words()}; give endpoint_override, or"
                " an auth plugin whose catalog has one"
            )
        if not is_http(found):
            raise exceptions.NoUsableVersion(
                f"the catalog's endpoint of {catalog.in_words()} is not an http or https URL:"
                f" {redact_url(found)!r}"
            )
        return found

    def every_endpoint(self, catalog: Catalog) -> tuple[str, ...]:
        """All endpoints that a catalog names for the image service."""
        plugin = self.plugin if hasattr(self.plugin, "get_access") else self.own
        return every_endpoint_of(self.session, plugin, self.entries, catalog)


def caller_of(
    context: object,
    session: ksa_session.Session,
    own: ksa_plugin.BaseAuthPlugin | None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Caller:
    """Read a context.

    :param options: of which ``read_timeout`` bounds what plugins ask, unless the session has a
        time-out of its own, and ``deadline`` each answer.
    :raises glance_compat.exceptions.NotAuthenticated: it is one with a token, but has none.
    """
    return Caller(
        session=auth_session(session, options.read_timeout, options.deadline),
        plugin=own if context is None else _plugin(context),
        own=own,
        entries=getattr(context, "service_catalog", None) or None,
        roles=_roles(context),
        # What cannot be a header is no request id: oslo.middleware would not take it either.
        request_id=_header(getattr(context, "global_id", None)),
        project_id=_text(context, "project_id"),
    )


def is_plugin(auth: object) -> bool:
    """Whether something is an auth plugin, as far as can be told before it is asked."""
    return not isinstance(auth, type) and callable(getattr(auth, "get_headers", None))


def _plugin(context: object) -> ksa_plugin.BaseAuthPlugin:
    get_auth_plugin = getattr(context, "get_auth_plugin", None)
    if callable(get_auth_plugin):
        plugin = get_auth_plugin()
        # Without one the session's own token would go out, with the service's rights.
        if not is_plugin(plugin):
            raise exceptions.NotAuthenticated(
                "the context's get_auth_plugin() gave no auth plugin"
            )
        return typing.cast(ksa_plugin.BaseAuthPlugin, plugin)
    token = _header(getattr(context, "auth_token", None))
    if token is None:
        raise exceptions.NotAuthenticated(
            "the context has no token: it must be None or have get_auth_plugin() or auth_token"
        )
    # The endpoint of this plugin is never asked for; requests have whole URLs.
    return token_endpoint.Token("", token)


def _header(value: object) -> str | None:
    """Text that can be sent as a header, or None."""
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]+", value) else None


def _roles(context: object) -> tuple[str, ...] | None:
    if getattr(context, "is_admin", None) is True:
        return ("admin",)
    roles = getattr(context, "roles", None)
    return tuple(map(str, roles)) if isinstance(roles, (list, tuple, set)) else None


def _text(context: object, name: str) -> str | None:
    value = getattr(context, name, None)
    return value if isinstance(value, str) and value else None
