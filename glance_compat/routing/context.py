# SPDX-License-Identifier: Apache-2.0
"""The identity of a caller, read from the context that the caller passes.

A context is None, an object with a callable ``get_auth_plugin``, or an object with ``auth_token``
(Nova's RequestContext has both). When the context brings a token, only that token is sent to
Glance: the rights of the service that passes the context on are never used for it.

What must live here: reading a context, and what makes one invalid. What must not: requests, and
the search of catalogs (``catalog``).
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
    """Read a context.

    :param context: None for the service itself.
    :param service_auth: the service's own plugin; None: the session's.
    :raises glance_compat.exceptions.NotAuthenticated: the context should bring a token and has
        none.
    """
    if context is None:
        return Identity(auth=service_auth, service_auth=service_auth)
    return Identity(
        auth=_plugin_of(context),
        service_auth=service_auth,
        service_catalog=getattr(context, "service_catalog", None) or None,
        roles=_roles_of(context),
        # oslo.middleware ignores a request id that is not a header value, too.
        request_id=_header_value(getattr(context, "global_id", None)),
        project_id=_project_id_of(context),
    )


def is_plugin(auth: object) -> bool:
    """Whether an object is an auth plugin, as far as this shows before it is used."""
    return not isinstance(auth, type) and callable(getattr(auth, "get_headers", None))


def _plugin_of(context: object) -> ksa_plugin.BaseAuthPlugin:
    get_auth_plugin = getattr(context, "get_auth_plugin", None)
    if callable(get_auth_plugin):
        plugin = get_auth_plugin()
        # With None, the session would send its own token, with the service's rights.
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
    # The endpoint of this plugin is never used: requests have absolute URLs.
    return token_endpoint.Token("", token)


def _header_value(value: object) -> str | None:
    """Return a string that is valid as a header value, or None."""
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
    """Refuse calls of a method that forgot the context, its first argument after ``self``.

    Python alone would say of ``show(image_id)`` that ``image_id`` is missing.
    """
    name = method.__name__

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        context = args[1] if len(args) > 1 else kwargs.get("context")
        if _is_another_argument(context):
            # Its value stays out of the message: it may be a token.
            raise exceptions.Invalid(
                f"{name}() was called without a context: the first argument is a"
                f" {type(context).__name__}; pass None for the rights of the service itself, or"
                f" call service.bound().{name}()"
            )
        return method(*args, **kwargs)

    return call


def _is_another_argument(context: object) -> bool:
    """Whether something is an id, or the image_meta or filters, that stand where a context does.

    A mapping with attributes may be a context.
    """
    return isinstance(context, (str, bytes, Mapping)) and not (
        hasattr(context, "auth_token") or hasattr(context, "get_auth_plugin")
    )
