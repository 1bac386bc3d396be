# SPDX-License-Identifier: Apache-2.0
"""Find the endpoints of the image service: in ``endpoint_override`` or in a service catalog.

What must live here: the check of endpoint URLs, and the search of service catalogs. What must not:
the selection of the endpoint for a call (see ``dispatcher``), API versions (``discovery``), and
reading contexts (``context``).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import typing
import weakref
from collections.abc import Sequence

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1.access import service_catalog

from glance_compat import exceptions
from glance_compat.redaction import PrivateUrl, quote_value, redact_url
from glance_compat.transport.client import Identity
from glance_compat.transport.error_mapping import plugin_errors
from glance_compat.urls import is_http

LOG = logging.getLogger(__name__)

#: Auth plugins whose catalog was searched for several regions.
_SEARCHED: weakref.WeakSet[ksa_plugin.BaseAuthPlugin] = weakref.WeakSet()


def check_endpoints(
    endpoints: str | Sequence[str] | None, name: str = "endpoint_override"
) -> tuple[str, ...]:
    """Check an argument with the URLs of endpoints, and return them as a tuple.

    :param endpoints: a URL, a list of URLs, or None for an empty tuple.
    :param name: the name of the argument, for the message.
    :raises glance_compat.exceptions.InvalidOption: a value is not an http or https URL.
    """
    if endpoints is None:
        return ()
    several = isinstance(endpoints, Sequence) and not isinstance(endpoints, str)
    urls = tuple(endpoints) if several else (endpoints,)
    for url in urls:
        if not isinstance(url, str) or not is_http(url):
            shown = redact_url(url) if isinstance(url, str) else url
            raise exceptions.InvalidOption(
                f"{name} must be an http or https URL or a list of them, not"
                f" {quote_value(shown)}; pass URLs without query, fragment, spaces or backslashes"
            )
    return tuple(map(PrivateUrl, urls))


class Catalog(typing.NamedTuple):
    """Arguments that select an endpoint in the service catalog, as in keystoneauth1's Adapter."""

    service_type: str = "image"
    service_name: str | None = None
    interface: str | Sequence[str] | None = None
    region_name: str | None = None

    def describe(self) -> str:
        """Return the arguments as a string for a message."""
        named = {
            "name": self.service_name,
            "interface": self.interface,
            "region": self.region_name,
        }
        rest = "".join(f", {key} {quote_value(value)}" for key, value in named.items() if value)
        return f"type {quote_value(self.service_type)}{rest}"


def check_catalog(catalog: Catalog) -> Catalog:
    """Check the types of the arguments, and return them unchanged.

    :raises glance_compat.exceptions.InvalidOption: a value is not a string. The interface may also
        be a list of strings, and every value except the service type may be None.
    """
    for name, value in catalog._asdict().items():
        several = name == "interface" and isinstance(value, (list, tuple))
        absent = value is None and name != "service_type"
        if not absent and not all(isinstance(one, str) for one in (value if several else [value])):
            raise exceptions.InvalidOption(f"{name} must be a string, not {quote_value(value)}")
    return catalog


def find_endpoint(identity: Identity, session: ksa_session.Session, catalog: Catalog) -> str:
    """Return the URL of the image endpoint from a service catalog.

    The catalogs are searched in this order: the one in the caller's context, then those of the
    auth plugins of the caller, of the service, and of the session.

    :param identity: the identity of the caller.
    :param session: the session with which auth plugins send requests to the identity service.
    :param catalog: the arguments that select the endpoint.
    :raises glance_compat.exceptions.NoUsableVersion: no catalog has such an endpoint, or its URL
        is invalid.
    :raises glance_compat.exceptions.GlanceCompatError: a catalog cannot be fetched or is invalid.
    """
    found = find_in_context(identity.service_catalog, catalog)
    for plugin in dict.fromkeys((identity.auth, identity.service_auth, session.auth)):
        if found is None and plugin is not None:
            with contextlib.suppress(exceptions.NoUsableVersion):
                found = _find_in_plugin(session, plugin, catalog)
            if found is not None and catalog.region_name is None and plugin not in _SEARCHED:
                _SEARCHED.add(plugin)
                names = sorted(_regions_of(plugin, session, catalog))
                _warn_of_regions(*names[:_SHOWN_REGIONS])
    if found is None:
        raise exceptions.NoUsableVersion(
            f"the service catalog has no endpoint of {catalog.describe()};"
            f"{_describe_regions(identity, session, catalog)} set endpoint_override,"
            " or use an auth plugin whose catalog has one"
        )
    if not is_http(found):
        raise exceptions.NoUsableVersion(
            f"the service catalog's endpoint of {catalog.describe()} is not an http or https URL:"
            f" {redact_url(found)!r}; set endpoint_override, or correct the catalog"
        )
    return PrivateUrl(found)


#: A message has at most this many names.
_SHOWN_REGIONS = 20


def _describe_regions(identity: Identity, session: ksa_session.Session, catalog: Catalog) -> str:
    """Return the regions of the plugins' catalogs that have an image endpoint, as a clause."""
    names: set[str] = set()
    for plugin in (identity.auth, identity.service_auth, session.auth):
        if catalog.region_name is not None:
            names |= _regions_of(plugin, session, catalog)
    shown = ", ".join(sorted(names)[:_SHOWN_REGIONS])
    return f" the regions with one are {shown};" if names else ""


def _regions_of(
    plugin: ksa_plugin.BaseAuthPlugin | None, session: ksa_session.Session, catalog: Catalog
) -> set[str]:
    """Return the quoted names of the regions with an image endpoint in a plugin's catalog."""
    names: set[str] = set()
    if not hasattr(plugin, "get_access"):
        return names
    # The token was fetched before; the message must not fail over another problem.
    with contextlib.suppress(exceptions.GlanceCompatError), plugin_errors("listing regions"):
        found = typing.cast(typing.Any, plugin).get_access(session).service_catalog
        endpoints = found.get_endpoints_data(service_type=catalog.service_type)
        names |= {quote_value(one.region_name) for some in endpoints.values() for one in some}
    return names


@functools.lru_cache(maxsize=64)
def _warn_of_regions(*names: str) -> None:
    """Log a warning, once for the same regions: lru_cache skips further calls."""
    if len(names) > 1:
        LOG.warning(
            "The service catalog has image endpoints in several regions, and region_name is not"
            " set, so the first endpoint is used; the regions are %s",
            ", ".join(names),
        )


def find_in_context(entries: object, catalog: Catalog) -> str | None:
    """Return the URL of the image endpoint from the service catalog in a context, or None.

    :param entries: the list in the attribute ``service_catalog`` of the context, or None.
    :param catalog: the arguments that select the endpoint.
    :raises glance_compat.exceptions.Invalid: entries is not a service catalog.
    """
    # "public" is also the default of auth plugins.
    named = catalog._replace(interface=catalog.interface or "public")
    urls = _search(entries, named) if entries else ()
    return next(iter(urls), None)


def _find_in_plugin(
    session: ksa_session.Session, auth: ksa_plugin.BaseAuthPlugin, catalog: Catalog
) -> str | None:
    """Return the URL of the image endpoint from the catalog of an auth plugin, or None.

    keystoneauth1's own version discovery is skipped.
    """
    with plugin_errors("looking for the image endpoint in the catalog"):
        found = session.get_endpoint(auth, skip_discovery=True, **catalog._asdict())
    return PrivateUrl(found) if found else None


def find_every_endpoint(
    identity: Identity, session: ksa_session.Session, catalog: Catalog
) -> tuple[str, ...]:
    """Return the URLs of all image endpoints in the region, of any interface.

    :param identity: the identity of the caller.
    :param session: the session with which auth plugins send requests to the identity service.
    :param catalog: the arguments that select the endpoints; the interface is ignored.
    :raises glance_compat.exceptions.GlanceCompatError: the catalog cannot be fetched or is
        invalid.
    """
    anywhere = catalog._replace(interface=None)
    if identity.service_catalog:
        return tuple(_search(identity.service_catalog, anywhere))
    auth = identity.auth if hasattr(identity.auth, "get_access") else identity.service_auth
    plugin = typing.cast(typing.Any, auth or session.auth)
    if not hasattr(plugin, "get_access"):
        return ()
    with plugin_errors("looking for the image endpoints in the catalog"):
        access = plugin.get_access(session)
        found = access.service_catalog.get_urls(**anywhere._asdict()) if access else ()
    return tuple(map(PrivateUrl, found))


def _search(entries: object, catalog: Catalog) -> Sequence[str]:
    try:
        found = _parse(entries).get_urls(**catalog._asdict())
    except (AttributeError, KeyError, TypeError) as error:
        raise exceptions.Invalid(
            "the context's service_catalog is not a catalog; set it to the list that Keystone"
            " returns, or to None"
        ) from error
    return tuple(PrivateUrl(url) for url in found if url)


def _parse(entries: object) -> service_catalog.ServiceCatalog:
    """Parse the service catalog in a context.

    It may have Keystone's v3 format, or the v2 format that Nova stores in its contexts.
    """
    is_v3 = isinstance(entries, list) and any(
        "interface" in endpoint for one in entries for endpoint in one.get("endpoints", ())
    )
    parser = service_catalog.ServiceCatalogV3 if is_v3 else service_catalog.ServiceCatalogV2
    return parser(typing.cast("list[typing.Any]", entries))
