# SPDX-License-Identifier: Apache-2.0
"""Read the JSON of namespaces from a file or a folder, such as Glance's /etc/glance/metadefs.

What must live here: reading files. What must not: the form of a namespace (see ``documents``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from glance_compat import exceptions
from glance_compat.definitions.documents import NAMESPACE_BYTES, MalformedError
from glance_compat.redaction import describe_error, quote_value

#: Maximum number of files in a folder that are read. Glance 33 ships 32.
_MOST_FILES = 1000


def iter_documents(path: str) -> Iterator[tuple[str, object]]:
    """Yield the name and the decoded JSON of each file.

    The JSON is a :class:`~glance_compat.definitions.documents.MalformedError` if the file cannot
    be decoded.

    :param path: the path of a JSON file, or of a folder, whose files ``*.json`` are read.
    :raises glance_compat.exceptions.InvalidOption: the file or folder cannot be read, or there are
        too many files.
    """
    place = Path(path)
    try:
        files = sorted(place.glob("*.json")) if place.is_dir() else [place]
        if len(files) > _MOST_FILES:
            raise exceptions.InvalidOption(
                f"option definitions_file: {quote_value(path)} has more than {_MOST_FILES} files"
            )
        for one in files:
            yield one.name, _decode(one)
    except OSError as error:
        raise exceptions.InvalidOption(
            f"option definitions_file: cannot read {quote_value(path)}: {describe_error(error)}"
        ) from error


def _decode(path: Path) -> object:
    with path.open("rb") as file:
        content = file.read(NAMESPACE_BYTES + 1)
    if len(content) > NAMESPACE_BYTES:
        return MalformedError(f"it has more than {NAMESPACE_BYTES} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return MalformedError("it is not JSON")
