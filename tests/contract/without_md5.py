# SPDX-License-Identifier: Apache-2.0
"""A program on a host without MD5, which uploads and downloads images; test_without_md5 runs it.

Its arguments are the URL of a Glance, a token and the API; it prints the outcomes as JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keystoneauth1 import session, token_endpoint

from glance_compat import ImageService, Options, exceptions
from glance_compat.streams.streams import Upload

DATA = bytes(range(256)) * 1000
META = {"name": "x", "disk_format": "raw", "container_format": "bare"}


class Warnings(logging.Handler):
    """A log handler that stores the warnings of the library."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def outcome(call: Callable[[], object]) -> tuple[object, list[str]]:
    """Return the result of a call, or its error, and the warnings of the library."""
    warnings, logger = Warnings(), logging.getLogger("glance_compat")
    logger.addHandler(warnings)
    try:
        return call(), warnings.messages
    except exceptions.GlanceCompatError as error:
        return f"{type(error).__name__}: {error}", warnings.messages
    finally:
        logger.removeHandler(warnings)


class Program:
    """The calls, each with its own options."""

    def __init__(self, url: str, token: str, api: Any) -> None:
        self._place = {"endpoint_override": url, "auth": token_endpoint.Token(url, token)}
        self._api = api
        self._made: list[str] = []

    def service(self, **options: Any) -> ImageService:
        place: dict[str, Any] = self._place
        return ImageService(
            session.Session(), **place, options=Options(prefer=self._api, **options)
        )

    def create(self, meta: dict[str, Any], **options: Any) -> object:
        image = self.service(**options).create(None, {**META, **meta}, DATA)
        self._made.append(image["id"])
        return image["status"]

    def update(self) -> object:
        service = self.service()
        image = service.create(None, META)
        self._made.append(image["id"])
        return service.update(None, image["id"], {}, DATA)["status"]

    def download(self, **options: Any) -> object:
        return b"".join(self.service(**options).download(None, self._made[0])) == DATA

    def download_to_path(self) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "image")
            self.service().download(None, self._made[0], dst_path=path)
            return path.read_bytes() == DATA

    def outcomes(self, md5: str) -> dict[str, tuple[object, list[str]]]:
        with contextlib.ExitStack() as stack:
            stack.callback(self._delete)
            return {
                "create": outcome(lambda: self.create({})),
                "create unverified": outcome(lambda: self.create({}, verify_uploads=False)),
                "create declared": outcome(lambda: self.create({"checksum": md5})),
                "create wrong": outcome(lambda: self.create({"checksum": "0" * 32})),
                "create wrong unverified": outcome(
                    lambda: self.create({"checksum": "0" * 32}, verify_uploads=False)
                ),
                "update": outcome(self.update),
                "auto": outcome(self.download),
                "strong": outcome(lambda: self.download(verify_downloads="strong")),
                "off": outcome(lambda: self.download(verify_downloads="off")),
                "path": outcome(self.download_to_path),
            }

    def _delete(self) -> None:
        for image_id in self._made:
            self.service().delete(None, image_id)


def comparisons() -> dict[str, bool | None]:
    """Return the comparisons of an upload with the hashes of stored images."""
    plain, declared = Upload(b"data"), Upload(b"data", checksum="A" * 32)
    for upload in (plain, declared):
        assert b"".join(upload) == b"data"
    right, wrong = str(plain.digest).upper(), "0" * 128
    return {
        "algorithm": plain.algorithm == "sha512",
        "nothing": plain.compare(None, None, None),
        "md5": plain.compare("a" * 32, None, None),
        "other algorithm": plain.compare("a" * 32, "sha256", "0" * 64),
        "right": plain.compare("a" * 32, "sha512", right),
        "wrong": plain.compare("a" * 32, "sha512", wrong),
        "declared": declared.compare("a" * 32, None, None),
        "declared and wrong": declared.compare("a" * 32, "sha512", wrong),
        "other than declared": declared.compare("b" * 32, "sha512", right),
        "declared and nothing": declared.compare(None, None, None),
    }


def has_md5() -> bool:
    """Return whether this process can compute an MD5."""
    with contextlib.suppress(ValueError):
        return bool(hashlib.new("md5", usedforsecurity=False))
    return False


if __name__ == "__main__":
    found: dict[str, object] = {"md5": has_md5(), "comparisons": comparisons()}
    if len(sys.argv) > 1:
        url, token, api, checksum = sys.argv[1:]
        found |= Program(url, token, api).outcomes(checksum)
    sys.stdout.write(json.dumps(found))
