# SPDX-License-Identifier: Apache-2.0
"""Interoperable image import over v2: the server fetches data, or imports staged data.

What must live here: the requests of an import, and what an image shows of its progress. What must
not: waiting for the end of an import, and cleanup (see ``transfers.importing``).
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import time
import typing
import urllib.parse

from glance_compat import exceptions
from glance_compat.backends.protocol import (
    Importing,
    ImportRequest,
    ImportState,
    delete_on_failure,
)
from glance_compat.backends.v2.images import TASK, V2Images, image_path
from glance_compat.metadata import support
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import Image, Version
from glance_compat.redaction import redact_text, redact_url
from glance_compat.streams.streams import Upload
from glance_compat.transport import retry
from glance_compat.transport.messages import Request

#: Properties in which the server lists the stores that an import still writes to, and those that
#: failed. It adds both when an import begins (verified on Glance 33).
_IMPORTING, _FAILED = "os_glance_importing_to_stores", "os_glance_failed_import"

#: The first version with several stores in one import. Glance 20 (Ussuri) introduced them; older
#: servers ignore them, and read one store from a header.
_SEVERAL_STORES: Version = (2, 10)

#: Maximum number of endpoints whose import methods are cached.
_MOST_ENDPOINTS = 1024

#: Maximum number of characters of a task's message in an error.
_MESSAGE_CHARACTERS = 300


class _Methods(typing.NamedTuple):
    names: tuple[str, ...]
    fetched_at: float


#: The import methods of each endpoint, which the operator configures, until discovery_ttl.
_METHODS: collections.OrderedDict[str, _Methods] = collections.OrderedDict()


class V2Imports(V2Images):
    """Imports into new images."""

    def can_import(self, request: ImportRequest) -> bool:
        offer = self._get_offer()
        has_places = bool(request.stores or request.all_stores)
        if has_places:
            self._check_stores(request)
        if request.uri is not None:
            _check_no_credentials(request.uri)
        methods = self._import_methods() if "import" in offer.capabilities else ()
        if request.method in methods:
            return True
        if request.method == "glance-direct" and not has_places:
            return False
        raise self._not_enabled(request, methods)

    def _check_stores(self, request: ImportRequest) -> None:
        """Raise UnsupportedByVersion if the server cannot import into these stores."""
        self._require("stores", "import with stores")
        offered = self._get_offer().version
        if offered < _SEVERAL_STORES and (request.all_stores or len(request.stores) > 1):
            needed = support.format_version(_SEVERAL_STORES)
            raise exceptions.UnsupportedByVersion(
                f"{needed} (import with several stores)",
                support.format_version(offered),
                endpoint=self._transport.endpoint,
            )

    def _import_methods(self, *, fresh: bool = False) -> tuple[str, ...]:
        """Return the import methods that the site has enabled, from the cache or the server."""
        endpoint = self._transport.endpoint
        cached = _METHODS.get(endpoint)
        now = time.monotonic()
        if cached and not fresh and now - cached.fetched_at < self._options.discovery_ttl:
            return cached.names
        names = self._fetch_import_methods()
        _METHODS[endpoint] = _Methods(names, now)
        if len(_METHODS) > _MOST_ENDPOINTS:
            _METHODS.popitem(last=False)
        return names

    def _fetch_import_methods(self) -> tuple[str, ...]:
        try:
            response = self._send("GET", "/v2/info/import", "stores", None)
        except exceptions.NotFound:
            # The response of a site that has disabled import (verified on Glance 15.0.2).
            return ()
        names = response.object_at("import-methods").get("value")
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            raise response.invalid("has no list of import methods")
        return tuple(names)

    def _not_enabled(
        self, request: ImportRequest, methods: tuple[str, ...]
    ) -> exceptions.UnsupportedByVersion:
        offered = support.format_version(self._get_offer().version)
        if "import" in self._get_offer().capabilities:
            offered += f" with the import methods {', '.join(methods) or '(none)'}"
        return exceptions.UnsupportedByVersion(
            support.describe_capability(request.method, request.argument),
            offered,
            endpoint=self._transport.endpoint,
        )

    def create_by_import(
        self, image_id: str, meta: ImageMeta, request: ImportRequest, upload: Upload | None
    ) -> Image:
        if store := meta.base.get("store"):
            request = dataclasses.replace(request, stores=(store,))
        meta = meta.without({"store"})
        self._check_size_unknown(meta)
        self.can_import(request)
        self._check_formats(meta.base)
        created = self.create(image_id, meta, None)
        with delete_on_failure(image_id, lambda: self.delete(image_id)):
            self.import_into(image_id, request, upload)
        return created

    def import_into(self, image_id: str, request: ImportRequest, upload: Upload | None) -> None:
        if upload is not None:
            self._stage(image_id, upload)
        try:
            self._send_import(image_id, request)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            # Only the response may be lost; then a second request would be rejected.
            if not self.has_begun_import(image_id):
                raise

    def has_begun_import(self, image_id: str) -> bool:
        found = self.show(image_id)
        properties = found["properties"]
        is_waiting = found["status"] in ("queued", "uploading")
        # An import that failed leaves the property, with no store in it.
        return not is_waiting or TASK in properties or bool(properties.get(_IMPORTING))

    def _check_size_unknown(self, meta: ImageMeta) -> None:
        """Raise UnsupportedByVersion for a size of data that v2 would not compare."""
        if meta.base.get("size"):
            raise exceptions.UnsupportedByVersion(
                f"{support.V1_API} (size of data that the server copies)",
                self.api_name,
                endpoint=self._transport.endpoint,
            )

    def _stage(self, image_id: str, upload: Upload) -> None:
        self._transport.send(
            Request(
                method="PUT",
                path=f"{image_path(image_id)}/stage",
                upload=upload,
                success=frozenset({204}),
                errors=exceptions.STATUS_ERRORS["upload"],
                image_id=image_id,
            )
        )

    def _send_import(self, image_id: str, request: ImportRequest) -> None:
        try:
            self._post_import(image_id, request)
        except exceptions.ImageBadRequest as error:
            # The operator may have disabled the method in the meantime.
            methods = self._import_methods(fresh=True)
            if request.method in methods:
                raise
            raise self._not_enabled(request, methods) from error

    def _post_import(self, image_id: str, request: ImportRequest) -> None:
        method: dict[str, str] = {"name": request.method}
        if request.uri is not None:
            method["uri"] = request.uri
        body: dict[str, object] = {"method": method}
        headers = {}
        if request.all_stores:
            body["all_stores"] = True
        elif request.stores and self._get_offer().version < _SEVERAL_STORES:
            headers["x-image-meta-store"] = request.stores[0]
        elif request.stores:
            body["stores"] = list(request.stores)
        if {"all_stores", "stores"} & body.keys():
            # The default is not the same in all releases.
            body["all_stores_must_succeed"] = request.all_must_succeed
        self._transport.send(
            Request(
                method="POST",
                path=f"{image_path(image_id)}/import",
                headers=headers,
                json=body,
                success=frozenset({202}),
                errors=exceptions.STATUS_ERRORS["import"],
                image_id=image_id,
            )
        )

    def copy_to_stores(self, image_id: str, request: ImportRequest) -> None:
        if not self.can_import(request):
            raise self._not_enabled(request, self._import_methods())
        try:
            self._send_import(image_id, request)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            if not self.has_copied(image_id, request):
                raise

    def has_copied(self, image_id: str, request: ImportRequest) -> bool:
        found = self.show(image_id, sent=("stores",))
        if TASK in found["properties"] or found["properties"].get(_IMPORTING):
            return True
        return bool(request.stores) and set(request.stores) <= set(found["stores"] or ())

    def show_import(self, image_id: str, request: ImportRequest) -> Importing:
        sent = ("stores",) if request.stores or request.all_stores else ()
        found = self.show(image_id, sent=sent)
        # Glance 21 (Victoria) introduced the lock, and Glance 22 the tasks of an image.
        has_lock = "tasks" in self._get_offer().capabilities
        properties = found["properties"]
        return Importing(
            found,
            _state_of(found, staged=request.method == "glance-direct", has_lock=has_lock),
            tuple(filter(None, str(properties.get(_FAILED, "")).split(","))),
        )

    def import_messages(self, image_id: str) -> tuple[str, ...]:
        if "tasks" not in self._get_offer().capabilities:
            return ()
        with contextlib.suppress(exceptions.GlanceCompatError):
            # The task ends slightly after the image shows that it failed (verified on Glance 33).
            records = retry.until(
                lambda: self._task_records(image_id),
                lambda found: not any(one.get("status") == "processing" for one in found),
            )
            return tuple(_failures_in(records)[-1:])
        return ()

    def _task_records(self, image_id: str) -> list[dict[str, typing.Any]]:
        response = self._send("GET", f"{image_path(image_id)}/tasks", "show", image_id)
        return response.objects_at("tasks")


def _failures_in(records: list[dict[str, typing.Any]]) -> list[str]:
    """Return the messages of the tasks that failed, the latest last."""
    failed = (
        (str(one.get("created_at")), one["message"])
        for one in records
        if one.get("status") == "failure" and isinstance(one.get("message"), str)
    )
    return [
        _printable(message) for _, message in sorted(failed, key=lambda one: one[0]) if message
    ]


def _printable(message: str) -> str:
    # The message may contain the URL of the data.
    text = redact_text(message[:_MESSAGE_CHARACTERS])
    return "".join(one if one.isprintable() else "?" for one in text)


def _check_no_credentials(uri: str) -> None:
    """Raise Invalid for a URL with a user name or password.

    All callers that may see the image can read the URL in its task (verified on Glance 33).
    """
    if "@" in urllib.parse.urlsplit(uri).netloc:
        raise exceptions.Invalid(
            f"the URL {redact_url(uri)} has a user name or password, which v2 shows to all users"
            " that can see the image; use a URL without them"
        )


def _state_of(found: Image, *, staged: bool, has_lock: bool) -> ImportState:
    """Return the state of an import, from the status and the properties that the server sets.

    :param staged: whether the data was staged, so that the image was not queued at the beginning.
    :param has_lock: whether the server sets :data:`TASK` as long as an import runs.
    """
    properties, status = found["properties"], found["status"]
    runs = TASK in properties or bool(properties.get(_IMPORTING))
    if status in ("active", "deactivated"):
        return ImportState.RUNNING if runs else ImportState.DONE
    if runs:
        return ImportState.RUNNING
    has_begun = _IMPORTING in properties or _FAILED in properties
    if status in ("importing", "uploading", "saving"):
        # If a store fails, the image stays in the status importing (verified on Glance 33).
        has_ended = (has_begun and has_lock) or bool(properties.get(_FAILED))
        return ImportState.FAILED if has_ended else ImportState.RUNNING
    if status == "queued" and not has_begun and not staged:
        # Servers before Glance 20 (Ussuri) do not add the properties.
        return ImportState.UNCLEAR
    return ImportState.FAILED
