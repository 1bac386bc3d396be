# SPDX-License-Identifier: Apache-2.0
"""Discover which Images APIs an endpoint offers, and choose the backend for one of them.

What must live here: every request for a version; no other module sends one. What must not: the
choice itself (``versions``), the cache (``cache``).

Order: the version document at the unversioned root (one request, no token); the version in the
endpoint's own path; requests to the APIs themselves. Links in a document are never followed.
Glance makes them from the request's Host header and loses a proxy's path prefix (verified on
Glance 15.0.2 and 33), and an attacker who forges them would receive the caller's token.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence

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
    choose,
    choose_pinned,
    format_offered,
    format_wanted,
    get_capabilities,
    parse_url_version,
    parse_version_document,
)
from glance_compat.metadata.fields import FIRST_V2
from glance_compat.metadata.support import Offer
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import Request, Response
from glance_compat.transport.retry import TRANSIENT_STATUS, is_transient

#: Makes the backend of the chosen API over a transport to its endpoint.
CreateBackend = Callable[[Transport], ImagesApi]


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """The API that was chosen for an endpoint, for all calls until the facts expire.

    :param expires: when they do, by the clock of the cache, in seconds.
    :param cache_state: :attr:`DiscoveryCache.state` as it was. Another one means that facts may
        have been dropped.
    """

    discovery: Discovery
    create_backend: CreateBackend
    expires: float
    cache_state: object


def fetch_facts(transport: Transport, url: str) -> Facts:
    """Fetch what an endpoint offers.

    :param transport: to the unversioned endpoint.
    :param url: the endpoint as configured, perhaps with a version at its end.
    :raises glance_compat.exceptions.NoUsableVersion: the endpoint answers, but not as an Images
        API.
    :raises glance_compat.exceptions.GlanceConnectionFailed: the endpoint does not answer.
    :raises CallerAuthError: the caller has no token.
    """
    tried: list[str] = []
    named = parse_url_version(url)
    unreachable = False
    try:
        offered = _fetch_document(transport, tried)
    except exceptions.GlanceCompatError as error:
        # Some proxies pass only versioned paths. An endpoint without a version is down.
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
    """Send a request; return None where the response cannot be used.

    :raises glance_compat.exceptions.BadResponse: the error may be transient.
    """
    tried.append(f"GET {transport.endpoint}{request.path}")
    try:
        response = transport.exchange(request, token=token)
    except exceptions.BadResponse as error:
        # A redirect to another host or an endless page: not an Images API.
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
                f"could not discover the Images API at {transport.endpoint}: {tried[-1]} returned"
                " 401; check the token or the credentials",
                status=401,
                endpoint=transport.endpoint,
            )
        with contextlib.suppress(exceptions.BadResponse):
            if response.status == 200 and key in response.json_object():
                found.append(OfferedVersion(version, "UNKNOWN"))
    if found:
        how = "the endpoint, which has no version document, serves"
        return Facts(tuple(found), how, requests=len(tried), minor_known=False)
    raise exceptions.NoUsableVersion(
        f"there is no Images API at {transport.endpoint}; wanted:"
        f" {format_wanted(transport.options)}; tried: no version document at"
        f" {transport.endpoint}/, {', '.join(responses)}; check the URL of the image endpoint",
        endpoint=transport.endpoint,
    )


def discover(
    transport: Transport,
    url: str,
    failed_at: float | None = None,
    cache: DiscoveryCache = DISCOVERY_CACHE,
) -> Discovery:
    """Choose the API of an endpoint; sends no request when the facts are cached.

    :param transport: to the unversioned endpoint.
    :param url: the endpoint as configured.
    :param failed_at: see :meth:`DiscoveryCache.get`.
    :raises glance_compat.exceptions.GlanceCompatError: see :func:`fetch_facts` and :func:`choose`.
    """
    options, endpoint = transport.options, transport.endpoint
    if options.api_version != "auto":
        return choose_pinned(options, endpoint)
    return choose(_facts(transport, url, cache, failed_at), options, endpoint)


def prepare(
    transport: Transport,
    url: str,
    failed_at: float | None = None,
    cache: DiscoveryCache = DISCOVERY_CACHE,
) -> Choice:
    """Choose the API of an endpoint like :func:`discover`, until the facts expire."""
    # Before the facts: whatever changes from here on makes the choice stale.
    state = cache.state
    chosen = discover(transport, url, failed_at, cache)
    is_pinned = transport.options.api_version != "auto"
    expires = cache.expires_at(_cache_key(transport, url), transport.options)
    return Choice(
        discovery=chosen,
        create_backend=select_backend(chosen, cache),
        expires=float("inf") if is_pinned else expires,
        cache_state=state,
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


def select_backend(discovery: Discovery, cache: DiscoveryCache = DISCOVERY_CACHE) -> CreateBackend:
    """Return what creates the backend of the chosen API."""
    if discovery.api == "v1":
        return V1
    return functools.partial(V2, get_offer=functools.partial(_get_offer, discovery, cache))


def _get_offer(discovery: Discovery, cache: DiscoveryCache, transport: Transport) -> Offer:
    """Return the newest version and the capabilities, from the document of a pinned endpoint.

    The document is fetched once per endpoint and TTL. A server that does not say is treated as
    2.0.
    """
    if discovery.version[1] is not None:
        return Offer((2, discovery.version[1]), discovery.capabilities)
    with contextlib.suppress(exceptions.GlanceCompatError):
        facts = _document_facts(discovery, transport, cache)
        newest = facts.usable(transport.options).get(2) if facts and facts.minor_known else None
        if facts and newest:
            return Offer(newest, get_capabilities(newest, facts.offered))
    return Offer(FIRST_V2, discovery.capabilities)


def _document_facts(
    discovery: Discovery, transport: Transport, cache: DiscoveryCache
) -> Facts | None:
    """Return the facts of a pinned endpoint; None where the choice was made from facts."""
    if discovery.requests:
        return None
    # With a version in the path, only the document is requested.
    return _facts(transport, f"{transport.endpoint}/{discovery.api}", cache)


def rediscover(
    transport: Transport, url: str, before: Discovery, cache: DiscoveryCache = DISCOVERY_CACHE
) -> Discovery:
    """Choose again, after the endpoint answered that it does not offer the chosen API.

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
    """Return the error for an endpoint that does not offer what was chosen."""
    offered = format_offered(chosen.offered) if chosen.offered else "not known"
    return exceptions.NoUsableVersion(
        f"the endpoint {chosen.endpoint} answers that it does not offer the Images API"
        f" {chosen.api}, although {chosen.reason}; offered: {offered}; check the URL and the"
        " option api_version",
        status=300,
        endpoint=chosen.endpoint,
    )


def combine(found: Sequence[Discovery]) -> Discovery:
    """Return the first discovery, with all of them in ``endpoints`` when there are several."""
    first = found[0]
    if len(found) == 1:
        return first
    requests = sum(one.requests for one in found)
    return dataclasses.replace(first, endpoints=tuple(found), requests=requests)
