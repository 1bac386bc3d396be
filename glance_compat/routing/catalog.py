# SPDX-License-Identifier: Apache-2.0
"""Where images are asked for: endpoints given or found in a catalog, and references to images.

What must live here: checking and comparing URLs and ids, the catalog look-up, and which endpoints
are ill. What must not: versions (``discovery``) and who is asking (``caller``).
"""

from __future__ import annotations

import typing
from collections.abc import Sequence

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1.access import service_catalog

from glance_compat import exceptions, redaction
from glance_compat.redaction import redact_url
from glance_compat.transport.error_mapping import plugin_errors
from glance_compat.urls import is_http


def checked(endpoint_override: str | Sequence[str] | None) -> tuple[str, ...]:
    """The URLs that a caller gives, one or several.

    :raises glance_compat.exceptions.InvalidOption: one is not an http or https URL.
    """
    if endpoint_override is None:
        return ()
    several = isinstance(endpoint_override, Sequence) and not isinstance(endpoint_override, str)
    urls = tuple(endpoint_override) if several else (endpoint_override,)
    for url in urls:
        if not isinstance(url, str) or not is_http(url):
            said = redact_url(url) if isinstance(url, str) else url
            raise exceptions.InvalidOption(
                f"endpoint_override must be an http or https URL or a list of them, not"
                f" {redaction.quote_value(said)}"
            )
    return typing.cast("tuple[str, ...]", urls)


class Catalog(typing.NamedTuple):
    """What to look for in a catalog, as in keystoneauth1.adapter.Adapter."""

    service_type: str = "image"
    service_name: str | None = None
    interface: str | Sequence[str] | None = None
    region_name: str | None = None

    def in_words(self) -> str:
        """The search, for messages."""
        named = {
            "name": self.service_name,
            "interface": self.interface,
            "region": self.region_name,
        }
        rest = "".join(
            f", {key} {redaction.quote_value(value)}" for key, value in named.items() if value
        )
        return f"type {redaction.quote_value(self.service_type)}{rest}"


def checked_catalog(catalog: Catalog) -> Catalog:
    """What a caller looks for in a catalog.

    :raises glance_compat.exceptions.InvalidOption: something of it is not text; an interface may
        be a list of it, and all but the type of the service may be None.
    """
    for name, value in catalog._asdict().items():
        several = name == "interface" and isinstance(value, (list, tuple))
        absent = value is None and name != "service_type"
        if not absent and not all(isinstance(one, str) for one in (value if several else [value])):
            raise exceptions.InvalidOption(
                f"{name} must be text, not {redaction.quote_value(value)}"
            )
    return catalog


def endpoint_of_plugin(
    session: ksa_session.Session, auth: ksa_plugin.BaseAuthPlugin | None, catalog: Catalog
) -> str | None:
    """The endpoint that an auth plugin's catalog names, or None; nobody is asked for versions.

    :raises glance_compat.exceptions.GlanceCompatError: there is no catalog to be had.
    """
    with plugin_errors("looking for the image endpoint in the catalog"):
        return session.get_endpoint(auth, skip_discovery=True, **catalog._asdict()) or None


def _parsed(entries: object) -> service_catalog.ServiceCatalog:
    """A service catalog as a context has it: of v3 form, or of v2 form as Nova keeps it."""
    is_v3 = isinstance(entries, list) and any(
        "interface" in endpoint for one in entries for endpoint in one.get("endpoints", ())
    )
    kind = service_catalog.ServiceCatalogV3 if is_v3 else service_catalog.ServiceCatalogV2
    return kind(typing.cast("list[typing.Any]", entries))


def endpoint_of_context(entries: object, catalog: Catalog) -> str | None:
    """The endpoint that a context's own service catalog names, or None.

    :param entries: the catalog's list, or None.
    :raises glance_compat.exceptions.Invalid: it is not a catalog.
    """
    # As an auth plugin does it: any other interface has to be asked for.
    named = catalog._replace(interface=catalog.interface or "public")
    urls = _catalog_urls(entries, named) if entries else ()
    return next(iter(urls), None)


def _catalog_urls(entries: object, catalog: Catalog) -> Sequence[str]:
    try:
        found = _parsed(entries).get_urls(**catalog._asdict())
    except (AttributeError, KeyError, TypeError) as error:
        raise exceptions.Invalid("the context's service_catalog is not a catalog") from error
    return tuple(url for url in found if url)


def every_endpoint_of(
    session: ksa_session.Session,
    auth: ksa_plugin.BaseAuthPlugin | None,
    entries: object,
    catalog: Catalog,
) -> tuple[str, ...]:
    """All endpoints of the image service in the region, whatever the interface."""
    anywhere = catalog._replace(interface=None)
    if entries:
        return tuple(_catalog_urls(entries, anywhere))
    plugin = typing.cast(typing.Any, auth or session.auth)
    if not hasattr(plugin, "get_access"):
        return ()
    with plugin_errors("looking for the image endpoints in the catalog"):
        access = plugin.get_access(session)
        found = access.service_catalog.get_urls(**anywhere._asdict()) if access else ()
    return tuple(found)
