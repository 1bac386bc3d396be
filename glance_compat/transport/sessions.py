# SPDX-License-Identifier: Apache-2.0
"""Sessions beside the caller's own, which is never altered.

They have its settings and differ in one thing each: a time-out for auth plugins, connections that
read long answers, or, after a fork, connections of their own.
"""

from __future__ import annotations

import copy
import os
import typing
from collections import OrderedDict

import requests
import requests.adapters
from keystoneauth1 import session as ksa_session

from glance_compat.transport import response_reader, v1_headers
from glance_compat.transport.retry import Deadline

#: The operating system counts the milliseconds of a time-out in 32 bits.
LONGEST_SECONDS = 1_000_000.0


class ForkSafeSession:
    """The caller's session; in a process that was forked since, one with its own connections.

    A connection that two processes use gives each the other's answers.
    """

    def __init__(self, session: ksa_session.Session) -> None:
        self._original = self._session = session
        self._process = os.getpid()

    def get(self) -> ksa_session.Session:
        """The session of this process."""
        if self._process != os.getpid():
            self._session, self._process = _with_own_connections(self._session), os.getpid()
        return self._session

    def close(self) -> None:
        """Close the connections that were opened after a fork; the caller's session stays open."""
        if self._session is not self._original:
            self._session.session.close()


def _with_own_connections(session: ksa_session.Session) -> ksa_session.Session:
    http = copy.copy(session.session)
    # requests asks the adapters in the order of their prefixes' lengths, which mount() keeps.
    adapters, http.adapters = http.adapters, OrderedDict()
    for prefix, adapter in adapters.items():
        http.mount(prefix, _with_empty_pool(adapter))
    return _alike(session, http, session.timeout)


def _with_empty_pool(adapter: requests.adapters.BaseAdapter) -> requests.adapters.BaseAdapter:
    """A transport as another, without its connections; of another kind than requests', itself."""
    if not isinstance(adapter, requests.adapters.HTTPAdapter):
        return adapter
    # Not copy.copy: keystoneauth's own adapter cannot be made from the state that requests saves.
    empty = type(adapter).__new__(type(adapter))
    empty.__dict__.update(adapter.__dict__, proxy_manager={})
    # What requests itself makes the pool of an unpickled adapter from.
    state = vars(adapter)
    empty.init_poolmanager(
        state["_pool_connections"], state["_pool_maxsize"], block=state["_pool_block"]
    )
    return empty


def for_long_answers(session: ksa_session.Session) -> ksa_session.Session:
    """A session that reads any number of headers, over connections that nobody else uses."""
    http = requests.Session()
    http.trust_env, http.proxies = session.session.trust_env, dict(session.session.proxies)
    for scheme in ("http://", "https://"):
        http.mount(scheme, v1_headers.LongAnswerAdapter())
    return _alike(session, http, session.timeout)


def auth_session(
    session: ksa_session.Session, timeout: float, seconds: float | None = None
) -> ksa_session.Session:
    """What auth plugins ask the identity service with: a session that ends waiting.

    keystoneauth waits for ever unless the session has a time-out.

    :param timeout: seconds without an answer, where the session has no time-out of its own.
    :param seconds: within which each answer has to be whole; None: no limit.
    """
    if session.timeout is None:
        session = _alike(session, session.session, min(timeout, LONGEST_SECONDS))
    # Each has its own time: a plugin may keep the session for longer than a call.
    limits = response_reader.Limits(float(session.timeout or timeout), lambda: Deadline(seconds))
    return response_reader.within(session, limits)


def _alike(
    session: ksa_session.Session, http: requests.Session, timeout: float | None
) -> ksa_session.Session:
    """A session with the settings of another, which is not altered."""
    alike = ksa_session.Session(
        auth=session.auth,
        session=http,
        original_ip=session.original_ip,
        verify=session.verify,
        cert=session.cert,
        timeout=timeout,
        redirect=session.redirect,
        additional_headers=session.additional_headers,
        app_name=session.app_name,
        app_version=session.app_version,
        additional_user_agent=session.additional_user_agent,
    )
    alike.user_agent = session.user_agent
    return alike


def hooks_of(session: ksa_session.Session) -> list[typing.Any]:
    """What the caller wants to be told of answers."""
    # Hooks of a request replace those of the session.
    return list(session.session.hooks.get("response", ()))
