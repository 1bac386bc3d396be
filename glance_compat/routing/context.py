# SPDX-License-Identifier: Apache-2.0
"""Read the identity of a caller from the request context that the caller passes.

A context is None, an object with a callable ``get_auth_plugin``, or an object with ``auth_token``
(Nova's RequestContext has both). For a context other than None, only the context's token is sent
to Glance, never that of the service.

What must live here: reading and checking a context. What must not: requests, and the search of
service catalogs (see ``catalog``).
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Callable, Mapping

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import token_endpoint

from glance_compat import exceptions
from glance_compat.transport.client import Identity

P = typing.ParamSpec("P")
R = typing.TypeVar("R")


def read_identity(context: object, service_auth: ksa_plugin.BaseAuthPlugin | None) -> Identity:
    """Return the identity in a context.

    :param context: the caller's request context, or None for the service's own credentials.
    :param service_auth: the auth plugin of the service, or None for that of the session.
    :raises glance_compat.exceptions.NotAuthenticated: the context is not None and has no token.
    """
    if context is None:
        return Identity(auth=service_auth, service_auth=service_auth)
    return Identity(
        auth=_plugin_of(context),
        service_auth=service_auth,
        service_catalog=getattr(context, "service_catalog", None) or None,
        roles=_roles_of(context),
        # An id that is invalid as a header value is ignored, as in oslo.middleware.
        request_id=_header_value(getattr(context, "global_id", None)),
        project_id=_project_id_of(context),
    )


def is_plugin(auth: object) -> bool:
    """Return whether an object looks like an auth plugin: it has a method ``get_headers``."""
    return not isinstance(auth, type) and callable(getattr(auth, "get_headers", None))


def _plugin_of(context: object) -> ksa_plugin.BaseAuthPlugin:
    get_auth_plugin = getattr(context, "get_auth_plugin", None)
    if callable(get_auth_plugin):
        plugin = get_auth_plugin()
        # With None as plugin, the session would send the service's own token.
        if not is_plugin(plugin):
            raise exceptions.NotAuthenticated(
                "the context's get_auth_plugin() returned no auth plugin; pass a context that has"
                " a token, or None to call as the service itself"
            )
        return typing.cast(ksa_plugin.BaseAuthPlugin, plugin)
    token = _header_value(getattr(context, "auth_token", None))
    if token is None:
        raise exceptions.NotAuthenticated(
            "the context has no token: it must be None, or have get_auth_plugin() or auth_token"
        )
    # The endpoint of this plugin is not used, because all requests have absolute URLs.
    return token_endpoint.Token("", token)


def _header_value(value: object) -> str | None:
    """Return the value if it is a string that is valid as a header value, else None."""
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]+", value) else None


def _roles_of(context: object) -> tuple[str, ...] | None:
    if getattr(context, "is_admin", None) is True:
        return ("admin",)
    roles = getattr(context, "roles", None)
    return tuple(map(str, roles)) if isinstance(roles, (list, tuple, set)) else None


def _project_id_of(context: object) -> str | None:
    value = getattr(context, "project_id", None)
    return value if isinstance(value, str) and value else None


def context_first(method: Callable[P, R]) -> Callable[P, R]:
    """Decorate a method so that it raises Invalid if its first argument is not a context.

    Without this, Python would report for ``show(image_id)`` that the argument ``image_id`` is
    missing, although it is the context that is missing.
    """
    name = method.__name__

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        context = args[1] if len(args) > 1 else kwargs.get("context")
        if _is_another_argument(context):
            # The message does not show the value, because it may be a token.
            raise exceptions.Invalid(
                f"{name}() was called without a context: the first argument is a"
                f" {type(context).__name__}; pass None for the service's own credentials, or"
                f" call service.bound().{name}()"
            )
        return method(*args, **kwargs)

    return call


def _is_another_argument(context: object) -> bool:
    """Return whether a value is another argument (an id, image_meta or filters) and not a context.

    A mapping that has the attributes of a context is a context.
    """
    return isinstance(context, (str, bytes, Mapping)) and not (
        hasattr(context, "auth_token") or hasattr(context, "get_auth_plugin")
    )
