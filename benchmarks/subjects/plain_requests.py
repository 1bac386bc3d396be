# SPDX-License-Identifier: Apache-2.0
"""Plain requests: one session, no check, no translation."""

from __future__ import annotations

import hashlib
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from benchmarks import bodies
from benchmarks.jobs import THREADS
from benchmarks.targets import Target


def offered(url: str) -> tuple[str, ...]:
    """Return the major versions that an endpoint offers, the newest last."""
    document = requests.get(url, timeout=60).json()
    return tuple(sorted({entry["id"].partition(".")[0] for entry in document["versions"]}))


class Requests:
    """What the same requests cost with nothing around them."""

    def __init__(self, target: Target, api: str) -> None:
        self._images = f"{target.url}/{api}/images"
        self._list = f"{self._images}/detail" if api == "v1" else self._images
        self._image = f"{self._images}/{target.image_id}"
        self._data = self._image if api == "v1" else f"{self._image}/file"
        self._target, self._api = target, api
        self._session = requests.Session()
        self._session.headers["X-Auth-Token"] = target.token
        adapter = HTTPAdapter(pool_maxsize=THREADS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def show(self) -> Any:
        """Return the headers of v1, or the record of v2."""
        if self._api == "v1":
            return dict(self._session.head(self._image).headers)
        return self._session.get(self._image).json()

    def list(self) -> list[Any]:
        """Return the records of all images."""
        images: list[Any] = []
        for page in self._pages():
            images += page
        return images

    def walk(self) -> int:
        """Count all images, keeping one page at a time."""
        return sum(map(len, self._pages()))

    def _pages(self) -> Any:
        query = {"limit": str(bodies.LARGEST_PAGE)}
        while True:
            page = self._session.get(self._list, params=query).json()["images"]
            yield page
            if len(page) < bodies.LARGEST_PAGE:
                return
            query["marker"] = page[-1]["id"]

    def download_unverified(self) -> int:
        """Receive the data and throw it away."""
        with self._session.get(self._data, stream=True) as response:
            return sum(map(len, response.iter_content(bodies.BLOCK_BYTES)))

    def download(self) -> str:
        """Receive the data and hash it."""
        found = hashlib.new("md5", usedforsecurity=False)
        with self._session.get(self._data, stream=True) as response:
            for block in response.iter_content(bodies.BLOCK_BYTES):
                found.update(block)
        return found.hexdigest()

    def upload_unverified(self) -> str:
        """Create an image and send its data."""
        data = bodies.data(self._target.size)
        headers = {"Content-Type": "application/octet-stream"}
        if self._api == "v1":
            headers |= {f"x-image-meta-{name}": text for name, text in bodies.RECORD.items()}
            made = self._session.post(self._images, data=data, headers=headers)
            return str(made.json()["image"]["id"])
        image_id = self.create()
        self._session.put(f"{self._images}/{image_id}/file", data=data, headers=headers)
        return image_id

    def create(self) -> str:
        """Create an image without data."""
        if self._api == "v1":
            record = {f"x-image-meta-{name}": text for name, text in bodies.RECORD.items()}
            record |= {f"x-image-meta-property-{k}": v for k, v in bodies.PROPERTIES.items()}
            return str(self._session.post(self._images, headers=record).json()["image"]["id"])
        whole = {**bodies.RECORD, **bodies.PROPERTIES}
        return str(self._session.post(self._images, json=whole).json()["id"])

    def delete(self, image_id: str) -> None:
        """Delete an image."""
        self._session.delete(f"{self._images}/{image_id}")


class ClosingRequests(Requests):
    """The same with a new connection for each call."""

    def __init__(self, target: Target, api: str) -> None:
        super().__init__(target, api)
        self._session.headers["Connection"] = "close"
