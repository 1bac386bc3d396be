# SPDX-License-Identifier: Apache-2.0
"""Discover the versions of the Images API at an endpoint, and select the backend for one of them.

What must live here: all discovery requests. What must not: the choice of a version (see
``versions``), and the cache (see ``cache``).

The sources, in order: the version document at the root of the unversioned endpoint (one request,
without a token); the version in the path of the endpoint's URL; and probes, which are requests to
v2 and v1. Links in a version document are never followed: Glance builds them from the request's
Host header and omits a proxy's path prefix (verified on Glance 15.0.2 and 33), and an attacker who
forges them would receive the caller's token.
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
from glance_compat.redaction import redact_url
from glance_compat.transport.client import REDIRECTS, Transport
from glance_compat.transport.messages import Request, Response
from glance_compat.transport.retry import TOO_LARGE, TRANSIENT_STATUS, is_transient
from glance_compat.urls import url_before_version

#: A function that creates the backend for the chosen version. Its argument sends the requests.
CreateBackend = Callable[[Transport], ImagesApi]


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """The version that was chosen for an endpoint, for all calls until the facts expire.

    :param discovery: the chosen version, and the reason.
    :param create_backend: creates the backend for this version.
    :param expires: the time at which the facts expire, on the clock of the cache, in seconds.
    :param cache_state: the value of :attr:`DiscoveryCache.state` before the choice. If it is no
        longer the same object, the facts may have been removed.
    """

    discovery: Discovery
    create_backend: CreateBackend
    expires: float
    cache_state: object


@dataclasses.dataclass(slots=True)
class _Tried:
    """The requests of one discovery.

    :param url: the configured URL of the endpoint.
    :param requests: the method and URL of each request.
    :param redirects: the errors of those that were redirected to another origin.
    """

    url: str
    requests: list[str] = dataclasses.field(default_factory=list)
    redirects: list[exceptions.BadResponse] = dataclasses.field(default_factory=list)


def fetch_facts(transport: Transport, url: str) -> Facts:
    """Request the versions that an endpoint offers.

    :param transport: sends requests to the unversioned endpoint.
    :param url: the configured URL of the endpoint, which may end with a version.
    :raises glance_compat.exceptions.NoUsableVersion: the endpoint responds, but is not an Images
        API.
    :raises glance_compat.exceptions.GlanceConnectionFailed: the endpoint does not respond.
    :raises CallerAuthError: the probes need a token, and the caller has none.
    """
    tried = _Tried(url)
    named = parse_url_version(url)
    unreachable = False
    try:
        offered = _fetch_document(transport, tried)
    except exceptions.GlanceCompatError as error:
        # Some proxies forward only versioned paths, so with a version in the URL this is no proof
        # that the endpoint is down.
        if named is None or not is_transient(error):
            raise
        offered, unreachable = None, True
    if offered is not None:
        is_ours = any(one.number and one.number[0] in (1, 2) for one in offered)
        how = "the endpoint's version document offers"
        return Facts(offered, how, requests=len(tried.requests), provisional=not is_ours)
    if named is None:
        return _probe_apis(transport, tried)
    return Facts(
        (named,),
        "the endpoint, whose version document cannot be read, has a path that names",
        requests=len(tried.requests),
        minor_known=False,
        complete=False,
        provisional=unreachable,
    )


def _fetch_document(transport: Transport, tried: _Tried) -> tuple[OfferedVersion, ...] | None:
    response = _request(transport, Request(method="GET", path="/"), tried, token=False)
    if response is None or response.status not in (200, 300):
        return None
    try:
        return parse_version_document(response.json())
    except exceptions.BadResponse:
        return None


def _request(
    transport: Transport, request: Request, tried: _Tried, *, token: bool
) -> Response | None:
    """Send a discovery request; return None if the response is not from an Images API.

    :param tried: the requests so far, to which this one is added.
    :param token: whether to send the caller's token.
    :raises glance_compat.exceptions.BadResponse: the response is an error that may be transient.
    """
    tried.requests.append(f"GET {transport.endpoint}{request.path}")
    try:
        response = transport.exchange(request, token=token)
    except exceptions.BadResponse as error:
        # A redirect to another host, or a response that is too large: not an Images API.
        if is_transient(error):
            raise
        if error.status in REDIRECTS:
            tried.redirects.append(error)
        return None
    if response.status in TRANSIENT_STATUS or response.status == TOO_LARGE:
        failure = transport.error_of(request, response)
        if is_transient(failure):
            raise failure
    return response


_PROBES = (
    ("v2", Request(method="GET", path="/v2/schemas/image"), "properties"),
    ("v1", Request(method="GET", path="/v1/images", params=(("limit", "1"),)), "images"),
)


def _probe_apis(transport: Transport, tried: _Tried) -> Facts:
    found: list[OfferedVersion] = []
    responses: list[str] = []
    try:
        transport.authenticate()
    except exceptions.GlanceCompatError as error:
        raise CallerAuthError(error) from error
    for version, probe, key in _PROBES:
        response = _request(transport, probe, tried, token=True)
        responses.append(f"{tried.requests[-1]}: {response.status if response else 'not usable'}")
        if response is None:
            continue
        if response.status == 401:
            raise exceptions.NotAuthenticated(
                f"could not discover the Images API at {transport.endpoint}:"
                f" {tried.requests[-1]} returned 401; check the token or the credentials",
                status=401,
                endpoint=transport.endpoint,
            )
        with contextlib.suppress(exceptions.BadResponse):
            if response.status == 200 and key in response.json_object():
                found.append(OfferedVersion(version, "UNKNOWN"))
    if found:
        how = "the endpoint, which has no version document, serves"
        return Facts(tuple(found), how, requests=len(tried.requests), minor_known=False)
    if len(tried.redirects) == len(tried.requests):
        # All of the site is elsewhere, for example at https.
        raise tried.redirects[0]
    before = url_before_version(tried.url)
    advice = (
        f"the URL continues after its version, so set the endpoint to {redact_url(before)}"
        if before
        else "check the URL of the image endpoint"
    )
    raise exceptions.NoUsableVersion(
        f"there is no Images API at {transport.endpoint}; wanted:"
        f" {format_wanted(transport.options)}; tried: no version document at"
        f" {transport.endpoint}/, {', '.join(responses)}; {advice}",
        endpoint=transport.endpoint,
    )


def discover(
    transport: Transport,
    url: str,
    failed_at: float | None = None,
    cache: DiscoveryCache = DISCOVERY_CACHE,
) -> Discovery:
    """Choose a version of the Images API for an endpoint, from the cache or with requests.

    :param transport: sends requests to the unversioned endpoint.
    :param url: the configured URL of the endpoint.
    :param failed_at: time of the caller's last failed attempt; see :meth:`DiscoveryCache.get`.
    :param cache: the cache to use.
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
    """Choose a version like :func:`discover`, and return the choice with its time of expiry.

    The parameters and exceptions are those of :func:`discover`.
    """
    # Read before the facts, so that any later change of the cache makes the choice stale.
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
    """Return the function that creates the backend for the chosen version."""
    if discovery.api == "v1":
        return V1
    return functools.partial(V2, get_offer=functools.partial(_get_offer, discovery, cache))


def _get_offer(discovery: Discovery, cache: DiscoveryCache, transport: Transport) -> Offer:
    """Return the newest v2 minor version and the capabilities of an endpoint.

    If the option ``api_version`` is set, discovery has sent no request, so the version document is
    fetched here, once per endpoint and TTL. If the minor version remains unknown, it is taken to
    be 2.0.
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
    """Return the facts of an endpoint, or None if ``discovery`` was already made from facts."""
    if discovery.requests:
        return None
    # A URL with a version, so that only the document is requested and no probe is sent.
    return _facts(transport, f"{transport.endpoint}/{discovery.api}", cache)


def rediscover(
    transport: Transport, url: str, before: Discovery, cache: DiscoveryCache = DISCOVERY_CACHE
) -> Discovery:
    """Discover and choose again, after the endpoint responded that it does not offer a version.

    :param before: the choice that the endpoint no longer offers.
    :raises glance_compat.exceptions.NoUsableVersion: the new choice is the same.
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
    """Return the exception for an endpoint that does not offer the chosen version."""
    offered = format_offered(chosen.offered) if chosen.offered else "not known"
    return exceptions.NoUsableVersion(
        f"the endpoint {chosen.endpoint} responds that it does not offer the Images API"
        f" {chosen.api}, although {chosen.reason}; offered: {offered}; check the URL and the"
        " option api_version",
        status=300,
        endpoint=chosen.endpoint,
    )


def combine(found: Sequence[Discovery]) -> Discovery:
    """Return the first of several discoveries, with all of them in its ``endpoints``.

    A single discovery is returned unchanged.
    """
    first = found[0]
    if len(found) == 1:
        return first
    requests = sum(one.requests for one in found)
    return dataclasses.replace(first, endpoints=tuple(found), requests=requests)
