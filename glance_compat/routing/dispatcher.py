# SPDX-License-Identifier: Apache-2.0
"""Send a call to an endpoint: select the endpoint and the API version, and retry.

What must live here: the order of endpoints, the choice of the API version for each, retries, and a
new choice if an endpoint no longer offers the version. What must not: the operations that a call
consists of (see ``service`` and ``transfers``).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
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
from glance_compat.options import ApiVersion, Options
from glance_compat.redaction import PrivateUrl, redact_url
from glance_compat.routing import context as contexts
from glance_compat.routing import references
from glance_compat.routing.ahead import Ahead
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
from glance_compat.transport.retry import CancellableDeadline, Deadline
from glance_compat.transport.sessions import ForkSafeSession, auth_session
from glance_compat.urls import unversioned

LOG = logging.getLogger(__name__)

Result = typing.TypeVar("Result")

#: A call: a function whose argument is the Images API of the selected endpoint.
Call = Callable[[ImagesApi], Result]


@dataclasses.dataclass(slots=True)
class _State:
    """The state of one call.

    :param identity: the identity of the caller.
    :param deadline: the deadline of the call, for all its attempts together.
    :param attempts: number of attempts that were started.
    :param failed_at: time of the last failed attempt, on the clock of the discovery cache, in
        seconds, or None.
    """

    identity: Identity
    deadline: Deadline
    attempts: int = 0
    failed_at: float | None = None


#: Maximum number of endpoints that are kept per service. Service catalogs may contain a different
#: endpoint for every project.
MOST_ENDPOINTS = 64


@dataclasses.dataclass(slots=True)
class _Endpoint:
    """The objects that all calls to one endpoint share.

    :param name: the URL without credentials, which is also the key in :data:`ENDPOINT_HEALTH`.
    :param transport: the transport from which each call derives its own.
    :param choice: the chosen API version, or None. It is replaced when the discovered facts
        expire.
    """

    name: str
    transport: Transport
    choice: Choice | None = None


class Dispatcher:
    """Sends the calls of one image service to its endpoints.

    :param session: the keystoneauth1 session.
    :param auth: the auth plugin of the service, or None for that of the session.
    :param endpoint_override: a URL or a list of URLs of endpoints, or None for the endpoint in the
        service catalog.
    :param catalog: the arguments that select the endpoint in the service catalog.
    :param options: the options of the library.
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
        self._trusted = check_endpoints(options.trusted_endpoints, "trusted_endpoints")
        self._catalog = catalog
        self._options = options
        #: A string that identifies the service within the process. It is computed without a
        #: request.
        self.name = repr([redact_url(url) for url in self._endpoints] or catalog)
        self._prepared: dict[str, _Endpoint] = {}

    def close(self) -> None:
        """Close the connections that this object has opened; the caller's session stays open."""
        self._sessions.close()

    def read_identity(self, context: object) -> Identity:
        """Return the identity in a context; see :mod:`glance_compat.routing.context`."""
        return contexts.read_identity(context, self._auth)

    def parse_image_id(self, identity: Identity, reference: object) -> str:
        """Return the image id in an image reference: an id, or an href of this image service.

        :raises glance_compat.exceptions.InvalidImageRef: the reference is neither.
        """

        def known_endpoints() -> Iterator[str]:
            yield from self._endpoints
            yield from self._trusted
            yield from find_every_endpoint(identity, self._make_auth_session(), self._catalog)

        return references.parse_image_id(reference, known_endpoints)

    def pinned(self, api_version: ApiVersion) -> Dispatcher:
        """Return a dispatcher for the same endpoints that uses one version of the Images API.

        Closing this object closes the connections of both.
        """
        other = copy.copy(self)
        other._options = dataclasses.replace(self._options, api_version=api_version)
        other._prepared = {}
        return other

    def cache_key(self, identity: Identity) -> tuple[object, ...]:
        """Return a key for what a caller may see: the endpoints, and the project and roles.

        It contains a hash of the URLs, because they may have credentials.
        """
        urls = self._list_urls(identity)
        transport = self._make_transport(identity, urls[0], Deadline(self._options.deadline))
        endpoints = hashlib.sha256(repr(sorted(urls)).encode()).hexdigest()
        return (endpoints, *transport.caller_key())

    def project_id(self, identity: Identity) -> str | None:
        """Return the id of the caller's project, or None if the token is not for a project."""
        url = self._list_urls(identity)[0]
        return self._make_transport(identity, url, Deadline(self._options.deadline)).project_id()

    # -- calls

    def repeat(
        self,
        identity: Identity,
        call: Call[Result],
        *,
        deadline: bool = True,
        failed: exceptions.GlanceCompatError | None = None,
    ) -> Result:
        """Make a call and return its result; retry after temporary failures.

        :param deadline: whether the option ``deadline`` limits the call with all its attempts.
        :param failed: the exception of a first attempt that the caller has already made, or None.
        """
        state = self._begin(identity, deadline)
        if failed is None:
            return self._repeat(state, call)
        state.attempts = 1
        self._note_failure(state, self._list_urls(identity)[0], failed)
        return retry.repeat_after(
            failed, lambda: self._attempt(state, call), self._options, state.deadline
        )

    def attempt(self, identity: Identity, call: Call[Result], deadline: Deadline) -> Result:
        """Make one attempt of a call, without retries.

        :param deadline: limits the call, and the reading of a response that it returns.
        """
        return self._attempt(_State(identity, deadline), call)

    def begin(self, identity: Identity, call: Call[Result]) -> Ahead[Result]:
        """Begin a call in a second thread; its result is that of :meth:`repeat`.

        The caller waits no longer than the option ``deadline`` for the result.
        """
        deadline = CancellableDeadline(self._options.deadline)
        state = _State(identity, deadline)

        def repeat_after(failed: BaseException, waited: float) -> Result:
            state.deadline = Deadline(max(0.0, self._options.deadline - waited))
            return retry.repeat_after(
                failed, lambda: self._attempt(state, call), self._options, state.deadline
            )

        return Ahead(
            lambda: self._attempt(state, call),
            deadline,
            lambda: self.repeat(identity, call),
            repeat_after,
        )

    def repeat_removal(
        self, identity: Identity, call: Call[None], gone: type[exceptions.NotFound]
    ) -> None:
        """Make a call that removes a resource; retry after temporary failures.

        :param gone: the exception that the call raises if the resource does not exist. If a retry
            raises it, the call succeeds, because an earlier attempt whose response was lost has
            probably removed the resource.
        """
        state = self._begin(identity, deadline=True)
        try:
            self._repeat(state, call)
        except gone:
            if state.attempts == 1:
                raise

    def once(self, identity: Identity, call: Call[Result], *, deadline: bool = True) -> Result:
        """Make a call that must not be repeated, at the first endpoint that responds.

        :param deadline: whether the option ``deadline`` limits the call.
        """
        state = self._begin(identity, deadline)
        *others, last = self._list_urls(identity)
        url = next((one for one in others if self._responds(identity, one)), last)
        return self._call_endpoint(state, url, call)

    def avoid_endpoint(self, identity: Identity) -> None:
        """Try the endpoint of the last call last for a while, if there are several."""
        if len(self._endpoints) > 1:
            ENDPOINT_HEALTH.mark_unhealthy(self._list_urls(identity)[0])

    def discover(self, identity: Identity) -> Discovery:
        """Choose an API version for each endpoint, and return the result for the first usable one.

        Its ``endpoints`` has the results for all usable endpoints, if there are several.

        :raises glance_compat.exceptions.GlanceCompatError: no endpoint is usable.
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
        """Make one attempt of a call, at the first endpoint that offers a usable API version."""
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
        """Make a call at one endpoint, over the chosen API version.

        If the endpoint no longer offers this version, choose again and repeat the call once.
        """
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
        """Return the choice for an endpoint: the stored one, or a new one if it is out of date."""
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
                PrivateUrl(unversioned(url)),
                self._options,
                identity=Identity(),
                deadline=Deadline(None),
            )
            endpoint = self._prepared[url] = _Endpoint(redact_url(url), transport)
        return endpoint

    def _make_auth_session(self) -> ksa_session.Session:
        """Return the session with which auth plugins fetch service catalogs."""
        return auth_session(
            self._sessions.get(), self._options.read_timeout, self._options.deadline
        )


def _is_of_endpoint(error: exceptions.GlanceCompatError) -> bool:
    """Return whether the error is due to the endpoint, so that another one should be tried.

    That is a temporary failure, or no usable API version at the endpoint.
    """
    return retry.is_transient(error) or isinstance(error, exceptions.NoUsableVersion)
