# SPDX-License-Identifier: Apache-2.0
"""Reads ``archive://<archive>/<member>``: a member of a ZIP file in one folder of this host."""

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from glance_compat.transfers.locations import Location

#: Nothing that begins with a dot, no slash: nothing that leads out of the folder.
NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"


def read(location: Location) -> Iterator[bytes]:
    """A generator: what follows a ``yield`` runs when the download ends, well or not."""
    found = re.fullmatch(f"archive://({NAME})/({NAME})", location.url)
    if found is None:
        raise ValueError("not of the form archive://<archive>/<member>")
    archive = Path(os.environ["IMAGE_ARCHIVES"]) / f"{found[1]}.zip"
    with zipfile.ZipFile(archive) as opened, opened.open(found[2]) as member:
        while block := member.read(256 * 1024):
            yield block
