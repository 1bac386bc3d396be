# SPDX-License-Identifier: Apache-2.0
"""Sessions derived from the caller's, which is never altered.

They have its settings and differ in one thing each: limits for responses, a timeout for auth
plugins or, after a fork, their own connections.
"""

from __future__ import annotations

import copy
import os
import typing
from collections import OrderedDict

import requests
import requests.adapters
from keystoneauth1 import session as ksa_session

from glance_compat.transport.response_reader import Limits
from glance_compat.transport.retry import Deadline
from glance_compat.transport.session_views import identity_session, prepared_session

#: Longer timeouts fail: the operating system counts their milliseconds in 32 bits.
LONGEST_SECONDS = 1_000_000.0


class ForkSafeSession:
    """Hold the caller's session; a forked process gets its own connections.

    If two processes use one connection, each gets the other's responses.
    """

    def __init__(self, session: ksa_session.Session) -> None:
        self._original = self._session = session
        self._prepared = prepared_session(session)
        self._process = os.getpid()

    def get(self) -> ksa_session.Session:
        """Return the session to use in this process."""
        if self._process != os.getpid():
            self._session = _with_own_connections(self._session)
            self._prepared, self._process = prepared_session(self._session), os.getpid()
        return self._prepared

    def close(self) -> None:
        """Close the connections that were opened after a fork; the caller's session stays open."""
        if self._session is not self._original:
            self._session.session.close()


def _with_own_connections(session: ksa_session.Session) -> ksa_session.Session:
    http = copy.copy(session.session)
    # requests tries adapters in the order of the lengths of their prefixes, which mount() keeps.
    adapters, http.adapters = http.adapters, OrderedDict()
    for prefix, adapter in adapters.items():
        http.mount(prefix, _with_empty_pool(adapter))
    return _copy_of(session, http, session.timeout)


def _with_empty_pool(adapter: requests.adapters.BaseAdapter) -> requests.adapters.BaseAdapter:
    """Copy an adapter without its connections; return one that is not requests' own unchanged."""
    if not isinstance(adapter, requests.adapters.HTTPAdapter):
        return adapter
    # Not copy.copy: keystoneauth's own adapter cannot be made from the state that requests saves.
    empty = type(adapter).__new__(type(adapter))
    empty.__dict__.update(adapter.__dict__, proxy_manager={})
    # requests itself makes the pool of an unpickled adapter from these.
    state = vars(adapter)
    empty.init_poolmanager(
        state["_pool_connections"], state["_pool_maxsize"], block=state["_pool_block"]
    )
    return empty


def auth_session(
    session: ksa_session.Session, timeout: float, seconds: float | None = None
) -> ksa_session.Session:
    """Return the session that auth plugins send to the identity service with.

    keystoneauth waits forever unless the session has a timeout.

    :param timeout: seconds without a response, if the session has no timeout of its own.
    :param seconds: the time in which each response must be complete; None: no limit.
    """
    own = session.timeout
    chosen = min(timeout, LONGEST_SECONDS) if own is None else own
    # Each response has its own deadline: a plugin may keep the session for longer than a call.
    limits = Limits(float(chosen or timeout), lambda: Deadline(seconds))
    limited = identity_session(session, limits, chosen)
    if limited is not session or own is not None:
        return limited
    return _copy_of(session, session.session, chosen)


def _copy_of(
    session: ksa_session.Session, http: requests.Session, timeout: float | None
) -> ksa_session.Session:
    """Return a session with the settings of another, which is not altered."""
    made = ksa_session.Session(
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
    made.user_agent = session.user_agent
    return made


def hooks_of(session: ksa_session.Session) -> list[typing.Any]:
    """Return the caller's hooks for responses."""
    # Hooks of a request replace those of the session.
    return list(session.session.hooks.get("response", ()))
