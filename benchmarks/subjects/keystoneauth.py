# SPDX-License-Identifier: Apache-2.0
"""keystoneauth1: the session that this library, Nova and openstacksdk send with."""

from __future__ import annotations

from typing import Any

from keystoneauth1.session import Session, TCPKeepAliveAdapter
from keystoneauth1.token_endpoint import Token

from benchmarks import bodies
from benchmarks.jobs import THREADS
from benchmarks.targets import Target


def session_of(target: Target) -> Session:
    """Return a session with a static token, and room for all threads in its pool."""
    session = Session(auth=Token(target.url, target.token))
    adapter = TCPKeepAliveAdapter(pool_maxsize=THREADS)
    session.session.mount("http://", adapter)
    session.session.mount("https://", adapter)
    return session


class Keystoneauth:
    """The same requests as plain requests, through ``Session.get``."""

    def __init__(self, target: Target, api: str) -> None:
        images = f"{target.url}/{api}/images"
        self._list = f"{images}/detail" if api == "v1" else images
        self._image = f"{images}/{target.image_id}"
        self._data = self._image if api == "v1" else f"{self._image}/file"
        self._api = api
        self._session = session_of(target)

    def show(self) -> Any:
        """Return the headers of v1, or the record of v2."""
        if self._api == "v1":
            return dict(self._session.head(self._image).headers)
        return self._session.get(self._image).json()

    def list(self) -> list[Any]:
        """Return the records of all images."""
        images: list[Any] = []
        marker = ""
        while True:
            url = f"{self._list}?limit={bodies.LARGEST_PAGE}{marker}"
            page = self._session.get(url).json()["images"]
            images += page
            if len(page) < bodies.LARGEST_PAGE:
                return images
            marker = f"&marker={page[-1]['id']}"

    def download_unverified(self) -> int:
        """Receive the data and throw it away."""
        with self._session.get(self._data, stream=True) as response:
            return sum(map(len, response.iter_content(bodies.BLOCK_BYTES)))
