# SPDX-License-Identifier: Apache-2.0
"""Which Images APIs an endpoint offers, asked in one place, and the one that is spoken.

Nothing outside this module asks for a version. Order of asking: the version document at the
unversioned root (one request, no token); the version that the endpoint's own path names; the APIs
themselves. Links in a document are never followed: they are made from the request's Host header
and lose a proxy's path prefix (seen on Glance 15.0.2 and 33), and whoever can forge them would be
sent the caller's token.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi
from glance_compat.backends.v1 import V1
from glance_compat.backends.v2 import V2
from glance_compat.discovery.cache import (
    DISCOVERY_CACHE,
    CacheKey,
    CallerAuthError,
    DiscoveryCache,
)
from glance_compat.discovery.versions import (
    Discovery,
    Facts,
    OfferedVersion,
    Version,
    choose,
    choose_pinned,
    format_offered,
    format_wanted,
    get_capabilities,
    parse_url_version,
    parse_version_document,
)
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import Request, Response
from glance_compat.transport.retry import TRANSIENT_STATUS, is_transient


def fetch_facts(transport: Transport, url: str) -> Facts:
    """Find out what an endpoint offers.

    :param transport: to the unversioned endpoint.
    :param url: the endpoint as it is configured, maybe with a version at its end.
    :raises glance_compat.exceptions.NoUsableVersion: nothing that answers is an Images API.
    :raises glance_compat.exceptions.GlanceConnectionFailed: nothing answers.
    :raises CallerAuthError: the caller has no token.
    """
    tried: list[str] = []
    named = parse_url_version(url)
    unreachable = False
    try:
        offered = _fetch_document(transport, tried)
    except exceptions.GlanceCompatError as error:
        # Some sites let only the versioned paths through. An endpoint that names none is down.
        if named is None or not is_transient(error):
            raise
        offered, unreachable = None, True
    if offered is not None:
        is_ours = any(one.number and one.number[0] in (1, 2) for one in offered)
        how = "the endpoint's version document offers"
        return Facts(offered, how, requests=len(tried), provisional=not is_ours)
    if named is None:
        return _probe_apis(transport, tried)
    return Facts(
        (named,),
        "the endpoint, whose version document cannot be read, has a path that names",
        requests=len(tried),
        minor_known=False,
        complete=False,
        provisional=unreachable,
    )


def _fetch_document(transport: Transport, tried: list[str]) -> tuple[OfferedVersion, ...] | None:
    response = _request(transport, Request(method="GET", path="/"), tried, token=False)
    if response is None or response.status not in (200, 300):
        return None
    try:
        return parse_version_document(response.json())
    except exceptions.BadResponse:
        return None


def _request(
    transport: Transport, request: Request, tried: list[str], *, token: bool
) -> Response | None:
    """An answer, or None where there is one that nobody can use.

    :raises glance_compat.exceptions.BadResponse: it may be another one soon.
    """
    tried.append(f"GET {transport.endpoint}{request.path}")
    try:
        response = transport.exchange(request, token=token)
    except exceptions.BadResponse as error:
        # A redirect to somewhere else, an endless page: somebody else's.
        if is_transient(error):
            raise
        return None
    if response.status in TRANSIENT_STATUS:
        raise transport.error_of(request, response)
    return response


_PROBES = (
    ("v2", Request(method="GET", path="/v2/schemas/image"), "properties"),
    ("v1", Request(method="GET", path="/v1/images", params=(("limit", "1"),)), "images"),
)


def _probe_apis(transport: Transport, tried: list[str]) -> Facts:
    found: list[OfferedVersion] = []
    responses: list[str] = []
    try:
        transport.authenticate()
    except exceptions.GlanceCompatError as error:
        raise CallerAuthError(error) from error
    for version, probe, key in _PROBES:
        response = _request(transport, probe, tried, token=True)
        responses.append(f"{tried[-1]}: {response.status if response else 'not usable'}")
        if response is None:
            continue
        if response.status == 401:
            raise exceptions.NotAuthenticated(
                f"{tried[-1]} was answered with 401; without a token that is accepted it cannot be"
                " found out which Images API is offered there",
                status=401,
                endpoint=transport.endpoint,
            )
        with contextlib.suppress(exceptions.BadResponse):
            if response.status == 200 and key in response.json_object():
                found.append(OfferedVersion(version, "UNKNOWN"))
    if found:
        how = "the endpoint, which has no version document, speaks"
        return Facts(tuple(found), how, requests=len(tried), minor_known=False)
    raise exceptions.NoUsableVersion(
        f"there is no Images API at {transport.endpoint}; wanted:"
        f" {format_wanted(transport.options)}; tried:"
        f" no version document at {transport.endpoint}/, {', '.join(responses)}",
        endpoint=transport.endpoint,
    )


def discover(
    transport: Transport,
    url: str,
    failed_at: float | None = None,
    cache: DiscoveryCache = DISCOVERY_CACHE,
) -> Discovery:
    """Choose the API of an endpoint; costs no request when the facts are known.

    :param transport: to the unversioned endpoint.
    :param url: the endpoint as it is configured.
    :param failed_at: see :meth:`DiscoveryCache.get`.
    :raises glance_compat.exceptions.GlanceCompatError: see :func:`fetch_facts` and :func:`choose`.
    """
    return choose_pinned(transport.options, transport.endpoint) or choose(
        _facts(transport, url, cache, failed_at), transport.options, transport.endpoint
    )


def _facts(
    transport: Transport, url: str, cache: DiscoveryCache, failed_at: float | None = None
) -> Facts:
    return cache.get(
        _cache_key(transport, url),
        transport.options,
        lambda: fetch_facts(transport, url),
        failed_at,
        transport.deadline,
    )


def _cache_key(transport: Transport, url: str) -> CacheKey:
    named = parse_url_version(url)
    return CacheKey(transport.endpoint, named.id if named else None)


def create_backend(
    discovery: Discovery, transport: Transport, cache: DiscoveryCache = DISCOVERY_CACHE
) -> ImagesApi:
    """Speak the API that was chosen."""
    if discovery.api == "v1":
        return V1(transport)
    return V2(transport, lambda: _capabilities_of(discovery, transport, cache))


def _capabilities_of(
    discovery: Discovery, transport: Transport, cache: DiscoveryCache
) -> tuple[Version, frozenset[str]]:
    """Newest version and capabilities; a document that nobody asked for yet is asked for once.

    A server that does not say is taken for one of 2.0.
    """
    if discovery.version[1] is not None:
        return (2, discovery.version[1]), discovery.capabilities
    with contextlib.suppress(exceptions.GlanceCompatError):
        facts = _document_facts(discovery, transport, cache)
        newest = facts.usable(transport.options).get(2) if facts and facts.minor_known else None
        if facts and newest:
            return newest, get_capabilities(newest, facts.offered)
    return (2, 0), discovery.capabilities


def _document_facts(
    discovery: Discovery, transport: Transport, cache: DiscoveryCache
) -> Facts | None:
    """The facts of a pinned version; whoever chose from facts has seen them already."""
    if discovery.requests:
        return None
    # With a version to fall back on, nothing but the document is asked for.
    return _facts(transport, f"{transport.endpoint}/{discovery.api}", cache)


def rediscover(
    transport: Transport, url: str, before: Discovery, cache: DiscoveryCache = DISCOVERY_CACHE
) -> Discovery:
    """Choose anew, after the endpoint answered that it does not offer what was chosen.

    :raises glance_compat.exceptions.NoUsableVersion: the choice is the same.
    """
    cache.invalidate(_cache_key(transport, url), before.offered)
    now = discover(transport, url, cache=cache)
    if now.api != before.api:
        return now
    with contextlib.suppress(exceptions.GlanceCompatError):
        facts = _document_facts(now, transport, cache)
        if facts and facts.complete:
            now = dataclasses.replace(now, offered=facts.offered)
    raise not_offered_error(now)


def not_offered_error(chosen: Discovery) -> exceptions.NoUsableVersion:
    """The error of an endpoint that does not speak what was chosen."""
    offered = format_offered(chosen.offered) if chosen.offered else "not known"
    return exceptions.NoUsableVersion(
        f"the endpoint {chosen.endpoint} answers that it does not offer the Images API"
        f" {chosen.api}, although {chosen.reason}; offered: {offered}",
        status=300,
        endpoint=chosen.endpoint,
    )


def combine(found: Sequence[Discovery]) -> Discovery:
    """The first, with all of them in ``endpoints`` when there are several."""
    first = found[0]
    if len(found) == 1:
        return first
    requests = sum(one.requests for one in found)
    return dataclasses.replace(first, endpoints=tuple(found), requests=requests)
