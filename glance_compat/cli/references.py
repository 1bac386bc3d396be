# SPDX-License-Identifier: Apache-2.0
"""Find the image that a user names: by id, by href, or by exact name.

What must live here: the meaning of the argument IMAGE, and the loop over several of them. What
must not: what a command does with the image that was found.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence

from cliff.app import App

from glance_compat import exceptions
from glance_compat.cli.cloud import Cloud
from glance_compat.cli.formatting import escape_controls, to_plain
from glance_compat.cli.usage import CommandError
from glance_compat.redaction import quote_value
from glance_compat.service import ImageService
from glance_compat.types import Image

#: Maximum length of an image id, in characters (Glance 15.0.2 and 33, db/sqlalchemy/models.py).
_ID_CHARACTERS = 36

#: The path of the list in v1, where an id would be (Glance 15.0.2, api/v1/router.py).
_LIST = "detail"

#: Number of images that the table for an ambiguous name shows.
_SHOWN = 10

#: The columns of that table.
_COLUMNS = ("id", "status", "size", "created_at", "visibility", "owner")

#: Errors that the next image of the same command would cause as well.
_FATAL = (
    exceptions.GlanceConnectionFailed,
    exceptions.NoUsableVersion,
    exceptions.NotAuthenticated,
)


class AmbiguousName(CommandError):
    """Several images have the name that was passed.

    :param name: the name.
    :param images: the images; at least two.
    """

    def __init__(self, name: str, images: Sequence[Image]) -> None:
        count = f"more than {_SHOWN}" if len(images) > _SHOWN else str(len(images))
        super().__init__(
            f"{count} images are called {quote_value(name)}: pass the id of one of them"
        )
        self.details = _format_table(images[:_SHOWN])


def _format_table(images: Sequence[Image]) -> str:
    rows = [_COLUMNS] + [
        tuple(escape_controls(str(to_plain(one.get(name)))) for name in _COLUMNS) for one in images
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


class Finder:
    """Finds images by id, href or name.

    :param target: the cloud of the images.
    :param service: an image service of that cloud, with the option ``extended``.
    :param own_only: whether a name means images of the caller's own project only, so that no
        public or shared image of another project is changed by mistake.
    :param include_locations: whether the image that is found has the keys ``locations`` and
        ``direct_url``.
    """

    def __init__(
        self,
        target: Cloud,
        service: ImageService,
        *,
        own_only: bool = False,
        include_locations: bool = False,
    ) -> None:
        self._target = target
        self._service = service
        self._own_only = own_only
        self._include_locations = include_locations

    def find(self, reference: str) -> Image:
        """Return the image with an id, else the only image with that name.

        :raises glance_compat.cli.references.AmbiguousName: several images have this name.
        :raises glance_compat.exceptions.ImageNotFound: no image has this id or name.
        :raises glance_compat.exceptions.InvalidImageRef: the reference is an href of another
            service; or a name, and the caller's project is unknown.
        """
        if "://" in reference:
            return self._show(reference)
        if self._may_be_id(reference):
            try:
                return self._show(reference)
            except exceptions.ImageNotFound:
                # It may be a name.
                pass
        found = self._find_by_name(reference)
        # Lists do not contain the locations.
        return self._show(found["id"]) if self._include_locations else found

    def _show(self, image_id: str) -> Image:
        return self._service.show(None, image_id, include_locations=self._include_locations)

    def _may_be_id(self, reference: str) -> bool:
        # To an id that is not ASCII, Glance 15.0.2 responds with 500 on SQLite.
        if len(reference) > _ID_CHARACTERS or not reference.isascii():
            return False
        if reference == _LIST:
            return False
        try:
            return self._service.resolve(None, reference) == reference
        except exceptions.InvalidImageRef:
            return False

    def _find_by_name(self, name: str) -> Image:
        if not name:
            raise exceptions.InvalidImageRef("IMAGE is empty: pass an id, an href or a name")
        owner = self._own_project(name) if self._own_only else None
        found = self._list(name, owner)
        if len(found) > 1:
            raise AmbiguousName(name, found)
        if found:
            return found[0]
        scope, advice = "", "glance-compat list shows the images that you may see"
        if owner is not None and self._list(name, None):
            scope = " in your own project, and that of another project is not meant by its name"
            advice = "pass its id, or --all-projects"
        raise exceptions.ImageNotFound(
            f"no image has the id or the name {quote_value(name)}{scope}; {advice}"
        )

    def _own_project(self, name: str) -> str:
        project_id = self._target.own_project_id()
        if project_id is None:
            raise exceptions.InvalidImageRef(
                f"{quote_value(name)} is not the id of an image. As a name it means an image of"
                " your own project, and these credentials do not tell which project that is;"
                " pass the id, or --all-projects"
            )
        return project_id

    def _list(self, name: str, owner: str | None) -> list[Image]:
        """Return images with this name; hidden images only if no other image has the name."""
        filters = {"name": name, "owner": owner}
        found = self._service.detail(None, filters, limit=_SHOWN + 1)
        if not found and "hidden" in self._service.discover().capabilities:
            hidden = {**filters, "os_hidden": True}
            found = self._service.detail(None, hidden, limit=_SHOWN + 1)
        return found


def is_uuid(reference: str) -> bool:
    """Return whether a reference has the form of the ids that Glance generates."""
    try:
        return str(uuid.UUID(reference)) == reference
    except ValueError:
        return False


def report_error(app: App, error: BaseException) -> None:
    """Log an error in one line, and write its details, such as a table of images, below it."""
    app.LOG.error(error)
    if isinstance(error, CommandError):
        app.stderr.write(error.details)


def for_each_image(
    app: App, references: Sequence[str], call: Callable[[str], object]
) -> Iterator[bool]:
    """Call a function with each reference, and yield whether it succeeded.

    An error is reported, and the next reference is tried; unless the next one would fail for the
    same reason, such as a rejected token.

    :param call: finds the image of a reference and does the work.
    :raises glance_compat.exceptions.GlanceCompatError: the cloud cannot be used.
    """
    for position, reference in enumerate(references):
        try:
            call(reference)
        except _FATAL:
            left = ", ".join(map(quote_value, references[position + 1 :]))
            if left:
                app.LOG.error("Not attempted, because of the next error: %s", left)
            raise
        except (exceptions.GlanceCompatError, AmbiguousName) as error:
            report_error(app, error)
            yield False
        else:
            yield True
