# SPDX-License-Identifier: Apache-2.0
"""The path of a call to an endpoint: which one, over which API, and how often.

What must live here: the order of endpoints, the choice of an API at each, repeating what may be
repeated, and a new choice where an endpoint has changed. What must not: what a call does
(``service``, ``transfers``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import typing
from collections.abc import Callable, Iterator, Sequence

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi
from glance_compat.discovery import discover
from glance_compat.discovery.cache import DISCOVERY_CACHE
from glance_compat.discovery.discover import Choice
from glance_compat.discovery.versions import Discovery
from glance_compat.options import Options
from glance_compat.redaction import redact_url
from glance_compat.routing import context as contexts
from glance_compat.routing import references
from glance_compat.routing.catalog import (
    Catalog,
    check_endpoints,
    find_endpoint,
    find_every_endpoint,
)
from glance_compat.routing.health import ENDPOINT_HEALTH
from glance_compat.transport import retry
from glance_compat.transport.client import Identity, Transport
from glance_compat.transport.messages import VersionDocumentReceived
from glance_compat.transport.retry import Deadline
from glance_compat.transport.sessions import ForkSafeSession, auth_session
from glance_compat.urls import unversioned

LOG = logging.getLogger(__name__)

Result = typing.TypeVar("Result")

#: What a caller of this module wants done: it gets the API of the endpoint in use.
Call = Callable[[ImagesApi], Result]


@dataclasses.dataclass(slots=True)
class _State:
    """One call on its way.

    :param deadline: of the call with all its attempts.
    :param attempts: how many were begun.
    :param failed_at: when the last one failed, by the clock of the discovery cache.
    """

    identity: Identity
    deadline: Deadline
    attempts: int = 0
    failed_at: float | None = None


#: Endpoints of one service that are kept. Catalogs may name another one for each project.
MOST_ENDPOINTS = 64


@dataclasses.dataclass(slots=True)
class _Endpoint:
    """What the calls of one endpoint share.

    :param name: the URL without credentials, as :data:`ENDPOINT_HEALTH` has it.
    :param transport: each call has its own, made from this one.
    :param choice: the API in use. It is replaced when the facts of the endpoint expire.
    """

    name: str
    transport: Transport
    choice: Choice | None = None


class Dispatcher:
    """The endpoints of one image service.

    :param auth: the service's own plugin; None: the session's.
    :param endpoint_override: URLs of the endpoints; None: the service catalog's.
    :raises glance_compat.exceptions.InvalidOption: a URL is invalid.
    """

    def __init__(
        self,
        session: ksa_session.Session,
        auth: ksa_plugin.BaseAuthPlugin | None,
        endpoint_override: str | Sequence[str] | None,
        catalog: Catalog,
        options: Options,
    ) -> None:
        self._sessions = ForkSafeSession(session)
        self._auth = auth
        self._endpoints = check_endpoints(endpoint_override)
        self._trusted = check_endpoints(options.trusted_endpoints)
        self._catalog = catalog
        self._options = options
        #: Identifies the service within the process, without a request.
        self.name = repr([redact_url(url) for url in self._endpoints] or catalog)
        self._prepared: dict[str, _Endpoint] = {}

    def close(self) -> None:
        """Close the connections of this process that are not those of the caller's session."""
        self._sessions.close()

    def read_identity(self, context: object) -> Identity:
        """Read a context; see :mod:`glance_compat.routing.context`."""
        return contexts.read_identity(context, self._auth)

    def parse_image_id(self, identity: Identity, reference: object) -> str:
        """Return the id that an id or an href of this image service names.

        :raises glance_compat.exceptions.InvalidImageRef: it is neither.
        """

        def known_endpoints() -> Iterator[str]:
            yield from self._endpoints
            yield from self._trusted
            yield from find_every_endpoint(identity, self._make_auth_session(), self._catalog)

        return references.parse_image_id(reference, known_endpoints)

    # -- calls

    def repeat(
        self,
        identity: Identity,
        call: Call[Result],
        *,
        deadline: bool = True,
        failed: exceptions.GlanceCompatError | None = None,
    ) -> Result:
        """Make a call, and repeat it while it fails temporarily.

        :param deadline: whether the option ``deadline`` bounds the call with all its attempts.
        :param failed: how a first attempt failed that the caller has made already.
        """
        state = self._begin(identity, deadline)
        if failed is None:
            return self._repeat(state, call)
        state.attempts = 1
        self._note_failure(state, self._list_urls(identity)[0], failed)
        return retry.repeat_after(
            failed, lambda: self._attempt(state, call), self._options, state.deadline
        )

    def repeat_removal(
        self, identity: Identity, call: Call[None], gone: type[exceptions.NotFound]
    ) -> None:
        """Make a call that removes something, and repeat it while it fails temporarily.

        :param gone: the error when there is nothing to remove. After the first attempt it counts
            as done: an earlier attempt may have removed it and lost its response.
        """
        state = self._begin(identity, deadline=True)
        try:
            self._repeat(state, call)
        except gone:
            if state.attempts == 1:
                raise

    def once(self, identity: Identity, call: Call[Result], *, deadline: bool = True) -> Result:
        """Make a call that must not be repeated, at the first endpoint that responds.

        :param deadline: whether the option ``deadline`` bounds the call.
        """
        state = self._begin(identity, deadline)
        *others, last = self._list_urls(identity)
        url = next((one for one in others if self._responds(identity, one)), last)
        return self._call_endpoint(state, url, call)

    def discover(self, identity: Identity) -> Discovery:
        """Find out which API each endpoint offers.

        :raises glance_compat.exceptions.GlanceCompatError: no endpoint can be used.
        """
        deadline = Deadline(self._options.deadline)
        found: list[Discovery] = []
        failed: list[exceptions.GlanceCompatError] = []
        for url in self._list_urls(identity):
            try:
                found.append(discover.discover(self._make_transport(identity, url, deadline), url))
            except exceptions.GlanceCompatError as error:
                failed.append(error)
        if not found:
            raise failed[0]
        for skipped in failed:
            LOG.warning("Skipping image endpoint: %s", skipped)
        return discover.combine(found)

    # -- the steps of a call, in order

    def _begin(self, identity: Identity, deadline: bool) -> _State:
        return _State(identity, Deadline(self._options.deadline if deadline else None))

    def _repeat(self, state: _State, call: Call[Result]) -> Result:
        return retry.repeat(lambda: self._attempt(state, call), self._options, state.deadline)

    def _attempt(self, state: _State, call: Call[Result]) -> Result:
        """Make a call at the first endpoint that has a usable API."""
        state.attempts += 1
        *others, last = self._list_urls(state.identity)
        for url in others:
            with contextlib.suppress(exceptions.NoUsableVersion):
                return self._call_endpoint(state, url, call)
        return self._call_endpoint(state, last, call)

    def _call_endpoint(self, state: _State, url: str, call: Call[Result]) -> Result:
        """Make a call at one endpoint, and record whether the endpoint is healthy."""
        try:
            result = self._call_api(state, url, call)
        except exceptions.GlanceCompatError as error:
            self._note_failure(state, url, error)
            raise
        if self._prepare_endpoint(url).name in ENDPOINT_HEALTH.unhealthy_until:
            ENDPOINT_HEALTH.mark_healthy(url)
        return result

    def _call_api(self, state: _State, url: str, call: Call[Result]) -> Result:
        """Make a call over the chosen API; where that is gone, over the one that replaced it."""
        transport = self._make_transport(state.identity, url, state.deadline)
        choice = self._choose(transport, url, state.failed_at)
        try:
            return call(choice.create_backend(transport))
        except VersionDocumentReceived:
            now = discover.rediscover(transport, url, choice.discovery)
        try:
            return call(discover.select_backend(now)(transport))
        except VersionDocumentReceived:
            raise discover.not_offered_error(now) from None

    def _choose(self, transport: Transport, url: str, failed_at: float | None = None) -> Choice:
        """Return the choice of the API of an endpoint, a new one if the facts have changed."""
        endpoint = self._prepare_endpoint(url)
        choice = endpoint.choice
        if (
            choice is None
            or choice.cache_state is not DISCOVERY_CACHE.state
            or choice.expires <= DISCOVERY_CACHE.clock()
        ):
            choice = endpoint.choice = discover.prepare(transport, url, failed_at)
        return choice

    def _note_failure(self, state: _State, url: str, error: exceptions.GlanceCompatError) -> None:
        state.failed_at = DISCOVERY_CACHE.clock()
        if _is_of_endpoint(error):
            ENDPOINT_HEALTH.mark_unhealthy(url)

    def _responds(self, identity: Identity, url: str) -> bool:
        deadline = Deadline(self._options.deadline)
        try:
            self._choose(self._make_transport(identity, url, deadline), url)
        except exceptions.GlanceCompatError as error:
            if not _is_of_endpoint(error):
                raise
            LOG.warning("Skipping image endpoint: %s", error)
            ENDPOINT_HEALTH.mark_unhealthy(url)
            return False
        return True

    def _list_urls(self, identity: Identity) -> list[str]:
        """Return the endpoints to try, healthy ones first."""
        urls = self._endpoints or (
            find_endpoint(identity, self._make_auth_session(), self._catalog),
        )
        return ENDPOINT_HEALTH.healthy_first(urls) if len(urls) > 1 else list(urls)

    def _make_transport(self, identity: Identity, url: str, deadline: Deadline) -> Transport:
        return self._prepare_endpoint(url).transport.for_call(
            self._sessions.get(), identity, deadline
        )

    def _prepare_endpoint(self, url: str) -> _Endpoint:
        endpoint = self._prepared.get(url)
        if endpoint is None:
            if len(self._prepared) >= MOST_ENDPOINTS:
                self._prepared.clear()
            transport = Transport(
                self._sessions.get(),
                unversioned(url),
                self._options,
                identity=Identity(),
                deadline=Deadline(None),
            )
            endpoint = self._prepared[url] = _Endpoint(redact_url(url), transport)
        return endpoint

    def _make_auth_session(self) -> ksa_session.Session:
        """Return the session with which auth plugins fetch a catalog."""
        return auth_session(
            self._sessions.get(), self._options.read_timeout, self._options.deadline
        )


def _is_of_endpoint(error: exceptions.GlanceCompatError) -> bool:
    """Whether another endpoint may do better: this one is unhealthy or has no image service."""
    return retry.is_transient(error) or isinstance(error, exceptions.NoUsableVersion)
