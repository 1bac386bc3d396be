# SPDX-License-Identifier: Apache-2.0
"""Create a copy with its data, complete it, and update it.

What must live here: the requests that change the target, and their order. What must not: the
decision that they are needed (see ``decisions``), and the recovery of a single upload or download
(see ``glance_compat.transfers``).
"""

from __future__ import annotations

import datetime
import io
import logging
import typing
from collections.abc import Iterator

from glance_compat import exceptions
from glance_compat.copying.choices import Choices
from glance_compat.copying.decisions import Candidates, find_linked, is_finished
from glance_compat.copying.sides import Side
from glance_compat.copying.wanted import Wanted, source_value
from glance_compat.streams.streams import Download, Progress
from glance_compat.transport import retry
from glance_compat.transport.retry import Deadline
from glance_compat.types import ExtendedImage

LOG = logging.getLogger(__name__)


class SourceData:
    """The data of an image as a file that an upload reads, and reads again after a failure.

    Nothing is stored: a return to the start begins a new download.

    :param source: the cloud with the image.
    :param image: the image.
    :ivar has_begun: whether any data was read.
    """

    def __init__(self, source: Side, image: ExtendedImage) -> None:
        # Without an MD5 checksum the upload has nothing to compare the data with.
        self._service = source.service if image["checksum"] else source.strictly_verified
        self._context = source.context
        self._image_id = image["id"]
        self._position = 0
        self.has_begun = False
        self._download: Download | None = self._open()

    def _open(self) -> Download:
        return self._service.download(self._context, self._image_id)

    def read(self, size: int = -1) -> bytes:
        """Return the next block, whatever its size, or b"" at the end."""
        if self._download is None:
            self._download = self._open()
        block = next(self._download, b"")
        self._position += len(block)
        self.has_begun = True
        return block

    def tell(self) -> int:
        """Return the number of bytes read since the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Return to the start.

        :raises io.UnsupportedOperation: to any other position.
        """
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("image data can be read again from its start only")
        if self._position:
            self.close()
            self._position = 0
        return 0

    def close(self) -> None:
        """Release the connection."""
        download, self._download = self._download, None
        if download is not None:
            download.close()


class Transfer:
    """The changes in a target that copy the images of a source.

    :param source: the cloud with the images.
    :param target: the cloud that gets the copies.
    :param choices: what the caller chose.
    """

    def __init__(self, source: Side, target: Side, choices: Choices) -> None:
        self._source = source
        self._target = target
        self._choices = choices

    def open(self, image: ExtendedImage) -> SourceData:
        """Start the download of an image.

        :raises glance_compat.exceptions.ImageNotFound: the image does not exist any more.
        :raises glance_compat.exceptions.ImageNotActive: its data cannot be read.
        """
        return SourceData(self._source, image)

    def create(
        self,
        image: ExtendedImage,
        wanted: Wanted,
        data: SourceData,
        ids: Iterator[str],
        progress: Progress | None,
    ) -> ExtendedImage:
        """Create the copy of an image, with its data.

        If another run has created it in the meantime, that copy is returned.

        :param ids: the ids to try, until one is not in use.
        :raises glance_compat.exceptions.Conflict: all of them are in use.
        """
        meta = self._meta_of(wanted, finished=not wanted.is_finished_later)
        is_empty = not image["size"] and not data.read()
        data.seek(0)
        if is_empty:
            # Without data, the library adds the formats that an empty image may lack.
            created = self._create_under(ids, image, {**meta, "size": 0}, None, progress)
        else:
            meta |= {"size": image["size"] or None, "checksum": image["checksum"]}
            created = self._create_under(ids, image, meta, data, progress)
        self._check_hash(image, created)
        return created if is_finished(created, self._choices) else self.finish(created, wanted)

    def _create_under(
        self,
        ids: Iterator[str],
        image: ExtendedImage,
        meta: dict[str, typing.Any],
        data: SourceData | None,
        progress: Progress | None,
    ) -> ExtendedImage:
        """Create an image under the first id that is not in use.

        v1 kills an image whose upload fails, and its id cannot be used again. So after a temporary
        failure the data is sent under the next id.
        """
        left = list(ids)

        def create() -> ExtendedImage:
            return self._try_ids(left, image, meta, data, progress)

        def may_repeat(error: BaseException) -> bool:
            has_sent = data is not None and data.has_begun
            return bool(left) and has_sent and retry.is_transient(error)

        if self._target.discovery.api != "v1":
            return create()
        return retry.repeat(create, self._target.options, Deadline(None), may_repeat)

    def _try_ids(
        self,
        ids: list[str],
        image: ExtendedImage,
        meta: dict[str, typing.Any],
        data: SourceData | None,
        progress: Progress | None,
    ) -> ExtendedImage:
        """Create an image under the first id that is not in use, and remove the tried ids."""
        conflict: exceptions.Conflict | None = None
        if data is not None:
            data.seek(0)
        while ids:
            image_id = ids.pop(0)
            try:
                created = self._target.service.create(
                    self._target.context, {**meta, "id": image_id}, data, progress=progress
                )
                return typing.cast(ExtendedImage, created)
            except exceptions.Conflict as error:
                # Its subclasses are about the data, not about the id.
                if type(error) is not exceptions.Conflict:
                    raise
                existing = self._find_copy(image, image_id)
                if existing is not None:
                    return existing
                conflict = error
            except exceptions.DataSourceError as error:
                if isinstance(error.__cause__, exceptions.GlanceCompatError):
                    raise error.__cause__ from None
                raise
        raise conflict or exceptions.Conflict(f"there is no free id for image {image['id']}")

    def _find_copy(self, image: ExtendedImage, image_id: str) -> ExtendedImage | None:
        """Return the image with an id if it is the copy, which another run has created."""
        found = self._target.find(image_id)
        if found is None:
            return None
        now = datetime.datetime.now(datetime.timezone.utc)
        candidates = Candidates([found], self._target.project, now)
        return find_linked(image, candidates, self._choices)

    def _check_hash(self, image: ExtendedImage, created: ExtendedImage) -> None:
        """Raise IntegrityError if both clouds have a hash other than MD5, and the two differ."""
        hashes = (image["os_hash_value"], created["os_hash_value"])
        if None in hashes or image["os_hash_algo"] != created["os_hash_algo"]:
            return
        if hashes[0] == hashes[1]:
            return
        self._target.service.delete(self._target.context, created["id"], missing_ok=True)
        raise exceptions.IntegrityError(
            f"the {str(image['os_hash_algo']).upper()} of image {image['id']} is not that of its"
            " copy, which was deleted; copy the image again",
            image_id=image["id"],
        )

    def complete(self, existing: ExtendedImage, wanted: Wanted) -> ExtendedImage:
        """Finish a copy that an interrupted run has left, or update it if it is finished."""
        if is_finished(existing, self._choices):
            return self.update(existing, wanted)
        return self.finish(existing, wanted)

    def finish(self, created: ExtendedImage, wanted: Wanted) -> ExtendedImage:
        """Share a copy, protect it, and note in its source property that it is complete."""
        for member in wanted.members:
            self._target.service.add_member(self._target.context, created["id"], member)
        meta: dict[str, typing.Any] = {"properties": self._source_property(wanted, finished=True)}
        if wanted.protected:
            meta["protected"] = True
        return self._update(created["id"], meta, purge=False)

    def update(self, existing: ExtendedImage, wanted: Wanted) -> ExtendedImage:
        """Change the metadata of a copy to what is wanted.

        An image that is protected stays protected.
        """
        for member in wanted.members:
            self._target.service.add_member(self._target.context, existing["id"], member)
        meta = self._meta_of(wanted, finished=True) | wanted.attributes_of(existing)
        if wanted.protected:
            meta["protected"] = True
        return self._update(existing["id"], meta, purge=wanted.properties is not None)

    def _update(self, image_id: str, meta: dict[str, typing.Any], *, purge: bool) -> ExtendedImage:
        updated = self._target.service.update(
            self._target.context, image_id, meta, purge_props=purge
        )
        return typing.cast(ExtendedImage, updated)

    def remove_abandoned(self, image_id: str) -> None:
        """Delete a record that an interrupted run has left, if it still has no data."""
        found = self._target.find(image_id)
        if found is not None and found["status"] in ("queued", "killed"):
            LOG.warning("Deleting image %s, which an interrupted copy has left", image_id)
            self._target.service.delete(self._target.context, image_id, missing_ok=True)

    def _meta_of(self, wanted: Wanted, *, finished: bool) -> dict[str, typing.Any]:
        properties = {
            **(wanted.properties or {}),
            **self._source_property(wanted, finished=finished),
        }
        return {**wanted.base, "properties": properties}

    def _source_property(self, wanted: Wanted, *, finished: bool) -> dict[str, str]:
        return {self._choices.source_property: source_value(wanted.source_id, finished=finished)}
