# SPDX-License-Identifier: Apache-2.0
"""How a call gets to an endpoint: which one, over which API, and how often.

What must live here: the order of endpoints, the API of each, repeating what may be repeated, and
looking again at an endpoint that changed. What must not: what a call is about (``service``).
"""

from __future__ import annotations

import contextlib
import logging
import typing
from collections.abc import Callable, Iterator, Sequence

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi
from glance_compat.discovery import discover
from glance_compat.discovery.cache import DISCOVERY_CACHE
from glance_compat.discovery.versions import Discovery
from glance_compat.options import Options
from glance_compat.routing.catalog import Catalog, checked
from glance_compat.routing.context import Caller, caller_of
from glance_compat.routing.health import ENDPOINT_HEALTH
from glance_compat.routing.references import image_id_of
from glance_compat.transport import retry
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import VersionDocumentReceived
from glance_compat.transport.retry import Deadline
from glance_compat.transport.sessions import ForkSafeSession
from glance_compat.urls import unversioned

LOG = logging.getLogger("glance_compat")

Result = typing.TypeVar("Result")

#: A call that may be made more than once; it is told the number of the attempt, from 1.
Repeatable = Callable[[ImagesApi, int], Result]


class Dispatcher:
    """The endpoints of one image service.

    :param endpoint_override: URLs that are given; without any, the catalog is asked.
    :raises glance_compat.exceptions.InvalidOption: a URL that is none.
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
        self._endpoints = checked(endpoint_override)
        self._trusted = checked(options.trusted_endpoints)
        self._catalog = catalog
        self._options = options

    def caller(self, context: object) -> Caller:
        """Who is asking; see :mod:`glance_compat.routing.context`."""
        return caller_of(context, self._sessions.get(), self._auth, self._options)

    def image_id(self, caller: Caller, reference: object) -> str:
        """The id that an id or an href of this image service names.

        :raises glance_compat.exceptions.InvalidImageRef: it is neither.
        """

        def ours() -> Iterator[str]:
            yield from self._endpoints
            yield from self._trusted
            yield from caller.every_endpoint(self._catalog)

        return image_id_of(reference, ours)

    def repeat(self, caller: Caller, call: Repeatable[Result], *, deadline: bool = True) -> Result:
        """Make a call, on one endpoint after the other while it fails for the moment only.

        :param deadline: whether the option ``deadline`` bounds the call with all its attempts.
        """
        until = Deadline(self._options.deadline if deadline else None)
        failed_at: float | None = None

        def on(url: str, number: int) -> Result:
            nonlocal failed_at
            try:
                return self._on(caller, url, until, lambda api: call(api, number), failed_at)
            except exceptions.GlanceCompatError as error:
                failed_at = DISCOVERY_CACHE.clock()
                if _is_of_endpoint(error):
                    ENDPOINT_HEALTH.mark_unhealthy(url)
                raise

        def attempt(number: int) -> Result:
            *others, last = self._urls(caller)
            for url in others:
                with contextlib.suppress(exceptions.NoUsableVersion):
                    return on(url, number)
            return on(last, number)

        return retry.repeat(attempt, self._options, until)

    def once(
        self, caller: Caller, call: Callable[[ImagesApi], Result], *, deadline: bool = True
    ) -> Result:
        """Make a call that must not be repeated, on the first endpoint that tells its versions.

        :param deadline: whether the option ``deadline`` bounds the call.
        """
        until = Deadline(self._options.deadline if deadline else None)
        *others, last = self._urls(caller)
        url = next((one for one in others if self._answers(caller, one)), last)
        try:
            return self._on(caller, url, until, call)
        except exceptions.GlanceCompatError as error:
            if _is_of_endpoint(error):
                ENDPOINT_HEALTH.mark_unhealthy(url)
            raise

    def _answers(self, caller: Caller, url: str) -> bool:
        try:
            discover.discover(self._transport(caller, url, Deadline(self._options.deadline)), url)
        except exceptions.GlanceCompatError as error:
            if not _is_of_endpoint(error):
                raise
            LOG.warning("an endpoint is passed over: %s", error)
            ENDPOINT_HEALTH.mark_unhealthy(url)
            return False
        return True

    def discover(self, caller: Caller) -> Discovery:
        """What is spoken where.

        :raises glance_compat.exceptions.GlanceCompatError: no endpoint can be used.
        """
        deadline = Deadline(self._options.deadline)
        found: list[Discovery] = []
        failed: list[exceptions.GlanceCompatError] = []
        for url in self._urls(caller):
            try:
                found.append(discover.discover(self._transport(caller, url, deadline), url))
            except exceptions.GlanceCompatError as error:
                failed.append(error)
        if not found:
            raise failed[0]
        for passed_over in failed:
            LOG.warning("an endpoint is passed over: %s", passed_over)
        return discover.combine(found)

    def _urls(self, caller: Caller) -> list[str]:
        """The endpoints to try, those that answered lately first."""
        return ENDPOINT_HEALTH.healthy_first(self._endpoints or (caller.endpoint(self._catalog),))

    def _transport(self, caller: Caller, url: str, deadline: Deadline) -> Transport:
        return Transport(
            self._sessions.get(),
            unversioned(url),
            self._options,
            identity=caller.identity(),
            deadline=deadline,
        )

    def _on(
        self,
        caller: Caller,
        url: str,
        deadline: Deadline,
        call: Callable[[ImagesApi], Result],
        failed_at: float | None = None,
    ) -> Result:
        """Make a call on one endpoint; where its API has gone, on the API that it has now."""
        transport = self._transport(caller, url, deadline)
        chosen = discover.discover(transport, url, failed_at)
        try:
            result = call(discover.create_backend(chosen, transport))
        except VersionDocumentReceived:
            now = discover.rediscover(transport, url, chosen)
            try:
                result = call(discover.create_backend(now, transport))
            except VersionDocumentReceived:
                raise discover.not_offered_error(now) from None
        ENDPOINT_HEALTH.mark_healthy(url)
        return result


def _is_of_endpoint(error: exceptions.GlanceCompatError) -> bool:
    """Whether another endpoint may do better: this one is ill, or not an image service at all."""
    return retry.is_transient(error) or isinstance(error, exceptions.NoUsableVersion)
