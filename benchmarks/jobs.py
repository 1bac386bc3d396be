# SPDX-License-Identifier: Apache-2.0
"""The jobs: what a subject is asked to do, how often in a round, and what its ratios are to."""

from __future__ import annotations

import dataclasses

#: Threads of the job ``threads``.
THREADS = 16


@dataclasses.dataclass(frozen=True)
class Job:
    """One row of :data:`JOBS`.

    :ivar name: on the command line.
    :ivar title: of its table.
    :ivar method: of the subjects; those that lack it do not do the job.
    :ivar calls: in one round.
    :ivar per: what a call is divided by in tables: "call", "image" or "MiB".
    :ivar against: each is a tuple of subjects; ratios are to the slowest of them.
    :ivar leaves_image: the method returns the id of an image that it made.
    """

    name: str
    title: str
    method: str
    calls: int
    per: str
    against: tuple[tuple[str, ...], ...]
    threads: int = 1
    leaves_image: bool = False


JOBS = {
    job.name: job
    for job in (
        Job(
            "show",
            "Show an image",
            "show",
            200,
            "call",
            (("requests",), ("requests-close",), ("keystoneauth1",)),
        ),
        Job("list", "List all images", "list", 1, "image", (("requests",),)),
        Job("walk", "Iterate over all images", "walk", 1, "image", (("requests",),)),
        Job("download", "Download, verified", "download", 1, "MiB", (("md5",), ("sha512",))),
        Job(
            "download-unverified",
            "Download, unverified",
            "download_unverified",
            1,
            "MiB",
            (("raw-socket",), ("requests",)),
        ),
        Job(
            "upload",
            "Upload, verified",
            "upload",
            1,
            "MiB",
            (("md5", "raw-socket"),),
            leaves_image=True,
        ),
        Job(
            "upload-unverified",
            "Upload, unverified",
            "upload_unverified",
            1,
            "MiB",
            (("raw-socket",),),
            leaves_image=True,
        ),
        Job(
            "threads",
            f"Show an image, {THREADS} threads",
            "show",
            THREADS * 20,
            "call",
            (("requests",), ("requests-close",)),
            threads=THREADS,
        ),
    )
}
