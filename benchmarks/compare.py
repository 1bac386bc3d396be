# SPDX-License-Identifier: Apache-2.0
"""How long the library takes, as ratios to raw requests, python-glanceclient and openstacksdk.

    python benchmarks/compare.py [--rounds 5] [--mib 256] [--images 500]

Everything runs in one process against one ``glance-compat serve`` in another, in turn within each
round, so that what slows the machine down slows all of them down. A row shows the best time of raw
requests in milliseconds, and for each client the ratio of its best time to that. Nothing here is
asserted: numbers of one machine are no test.

It needs the extras ``cli`` and ``fixtures``, and openstacksdk.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import glanceclient.v2.client
import openstack
import requests
from keystoneauth1 import session as ksa_session
from keystoneauth1.token_endpoint import Token

from glance_compat import ImageService, Options

TOKEN = "benchmark:project:member"
BLOCK = bytes(1024 * 1024)
RECORD = {"disk_format": "raw", "container_format": "bare"}

Action = Callable[[], object]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A Glance in memory, in a process of its own."""
    command = [sys.executable, "-m", "glance_compat.cli", "serve", "--release", "33"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class Raw:
    """What the same work costs with nothing but requests, and no check of anything."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/v2/images"
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = TOKEN

    def show(self, image_id: str) -> object:
        return self.session.get(f"{self.url}/{image_id}").json()

    def list(self) -> object:
        images: list[object] = []
        url: str | None = "?limit=1000"
        while url is not None:
            page = self.session.get(f"{self.url}{url}").json()
            images += page["images"]
            after = page.get("next")
            url = None if after is None else "?" + after.partition("?")[2]
        return images

    def create(self) -> str:
        return str(self.session.post(self.url, json=RECORD).json()["id"])

    def upload(self, mib: int) -> str:
        image_id = self.create()
        headers = {"Content-Type": "application/octet-stream"}
        blocks = (BLOCK for _ in range(mib))
        self.session.put(f"{self.url}/{image_id}/file", data=blocks, headers=headers)
        return image_id

    def download(self, image_id: str) -> None:
        with self.session.get(f"{self.url}/{image_id}/file", stream=True) as answer:
            for _ in answer.iter_content(256 * 1024):
                pass

    def delete(self, image_id: str) -> None:
        self.session.delete(f"{self.url}/{image_id}")


class _Blocks:
    """A file of equal blocks, for clients that take nothing but files."""

    def __init__(self, mib: int) -> None:
        self.left = mib

    def read(self, size: int = -1) -> bytes:
        self.left -= 1
        return BLOCK if self.left >= 0 else b""


def drained(blocks: Iterator[bytes]) -> None:
    for _ in blocks:
        pass


def actions(url: str, image_id: str, full_id: str, mib: int) -> dict[str, dict[str, Action]]:
    """Operation to client to what it does."""
    session = ksa_session.Session(auth=Token(url, TOKEN))
    raw = Raw(url)
    ours = ImageService(session, endpoint_override=url)
    off = ImageService(session, endpoint_override=url, options=Options(verify_downloads="off"))
    client = glanceclient.v2.client.Client(session=session, endpoint_override=url)
    sdk = openstack.connection.Connection(session=session, image_endpoint_override=url).image

    def sdk_upload() -> str:
        made = sdk.create_image("x", data=_Blocks(mib), validate_checksum=False, **RECORD)
        return str(made.id)

    def client_upload() -> str:
        made = client.images.create(**RECORD)
        client.images.upload(made.id, _Blocks(mib))
        return str(made.id)

    uploads: dict[str, Callable[[], str]] = {
        "requests": lambda: raw.upload(mib),
        "glance_compat": lambda: str(ours.create(None, RECORD, (BLOCK for _ in range(mib)))["id"]),
        "glanceclient": client_upload,
        "openstacksdk": sdk_upload,
    }
    return {
        "show": {
            "requests": lambda: raw.show(image_id),
            "glance_compat": lambda: ours.show(None, image_id),
            "glanceclient": lambda: client.images.get(image_id),
            "openstacksdk": lambda: sdk.get_image(image_id),
        },
        "list": {
            "requests": raw.list,
            "glance_compat": lambda: ours.detail(None),
            "glanceclient": lambda: list(client.images.list(page_size=1000)),
            "openstacksdk": lambda: list(sdk.images(limit=1000)),
        },
        f"upload, {mib} MiB": {
            name: (lambda upload=upload: raw.delete(upload()))  # type: ignore[misc]
            for name, upload in uploads.items()
        },
        f"download, {mib} MiB": {
            "requests": lambda: raw.download(full_id),
            "glance_compat": lambda: drained(ours.download(None, full_id)),
            "glance_compat, unverified": lambda: drained(off.download(None, full_id)),
            "glanceclient": lambda: drained(iter(client.images.data(full_id))),
            "openstacksdk": lambda: drained(
                sdk.download_image(full_id, stream=True).iter_content(256 * 1024)
            ),
        },
    }


def timed(action: Action) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=256, help="size of the image, in MiB")
    parser.add_argument("--images", type=int, default=500, help="images in the list")
    chosen = parser.parse_args()
    with server() as url:
        raw = Raw(url)
        ids = [raw.create() for _ in range(chosen.images)]
        full_id = raw.upload(chosen.mib)
        for name, clients in actions(url, ids[0], full_id, chosen.mib).items():
            best = {client: timed(action) for client, action in clients.items()}
            for _ in range(chosen.rounds):
                for client, action in clients.items():
                    best[client] = min(best[client], timed(action))
            base = best.pop("requests")
            ratios = "  ".join(f"{client} {took / base:.2f}" for client, took in best.items())
            print(f"{name:<20}requests {base * 1000:8.1f} ms   {ratios}")


if __name__ == "__main__":
    main()
