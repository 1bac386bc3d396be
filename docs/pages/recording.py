# SPDX-License-Identifier: Apache-2.0
"""Record the requests of calls on the embedded Glance, for pages that show them.

What must live here: what is sent, and what comes back. What must not: how a page shows it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import requests
from keystoneauth1.session import Session

from glance_compat.fixture import GlanceFixture


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One request, and its response.

    :param path: the path and query, below the URL of the embedded Glance.
    :param has_token: whether the request has the caller's token.
    :param status: the HTTP status of the response, or None if there was none.
    :param is_html: whether the response is an HTML page.
    """

    method: str
    path: str
    has_token: bool
    status: int | None
    is_html: bool = False


class Recorder(requests.adapters.BaseAdapter):
    """Pass requests on to the adapter of the embedded Glance, and record them.

    :param session: the session whose requests are recorded.
    :ivar exchanges: the exchanges, in order; may be cleared.
    """

    def __init__(self, glance: GlanceFixture, session: Session) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []
        self._url = glance.url
        self._adapter = session.session.get_adapter(glance.url)
        session.session.mount(glance.url, self)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """Send a request, and record it."""
        path = (request.url or "").removeprefix(self._url) or "/"
        exchange = Exchange(request.method or "", path, "X-Auth-Token" in request.headers, None)
        self.exchanges.append(exchange)
        number = len(self.exchanges) - 1
        response = self._adapter.send(request, *args, **kwargs)
        self.exchanges[number] = dataclasses.replace(
            exchange,
            status=response.status_code,
            # The responses of v1 to HEAD have this type too, but no body.
            is_html=request.method != "HEAD"
            and "html" in response.headers.get("Content-Type", ""),
        )
        return response

    def close(self) -> None:
        """Close the adapter of the embedded Glance."""
        self._adapter.close()
