# SPDX-License-Identifier: Apache-2.0
"""Image data straight from Ceph: the handler of ``rbd`` locations.

What is said of librados and librbd was seen with 16.2.15 on a cluster of that release.

What must live here: which snapshot a location may name, and how it is read. What must not: which
clusters and pools the options may allow (``options``), how a URL is taken apart (``urls``), what
becomes of a location that cannot be read (``locations``).
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import typing
from collections.abc import Iterator, Mapping

from glance_compat import exceptions
from glance_compat.options import Options
from glance_compat.transfers.locations import Location
from glance_compat.urls import rbd_names_of

#: What is asked of Ceph at once, in bytes: an object, unless the image was made with larger ones.
BLOCK_BYTES = 4 * 1024 * 1024

#: In seconds; librados keeps time-outs in fewer digits than a float may have.
_LONGEST = 10**9


def read_snapshot(location: Location) -> Iterator[bytes]:
    """The handler of ``rbd``: a snapshot of the image's own name, in an allowed pool.

    :raises OSError: it is not that, or cannot be read in time.
    :raises glance_compat.exceptions.InvalidOption: no pool is allowed, or Ceph's modules are
        missing.
    """
    names = _place(location)
    rados, rbd = _modules()
    cluster = _Cluster(rados, rbd, location.options)
    with cluster.snapshot(*names) as image:
        with cluster.told("its size cannot be read"):
            size = image.size()
        # To read where nothing is any more is an error in librbd.
        for start in range(0, size, BLOCK_BYTES):
            with cluster.told("it cannot be read"):
                block = image.read(start, min(BLOCK_BYTES, size - start))
            yield block


def _refuse(why: str) -> typing.NoReturn:
    raise PermissionError(errno.EPERM, why)


def _place(location: Location) -> tuple[str, str, str, str]:
    """The fsid, the pool, the image and the snapshot that a location names."""
    pools = {names for entry in location.entries if (names := rbd_names_of(entry))}
    if not pools:
        raise exceptions.InvalidOption(
            "allowed_location_schemes: rbd alone would be every pool; an entry names the cluster"
            " and the pool, rbd://<fsid>/<pool>"
        )
    names = rbd_names_of(location.url)
    # The older form rbd://<image> leaves it open where the image is, and what of it is meant.
    if names is None or len(names) != 4:
        _refuse("it is not of the form rbd://fsid/pool/image/snapshot")
    fsid, pool, image, snapshot = names
    if (fsid, pool) not in pools:
        _refuse("it is not in an allowed pool")
    # Glance and Nova name it so (glance_store's rbd driver; Nova, Rbd.direct_snapshot). Whatever
    # else is in the pool belongs to somebody else.
    if image != location.image_id:
        _refuse("it has another name than the image")
    return fsid, pool, image, snapshot


def _modules() -> tuple[typing.Any, typing.Any]:
    try:
        import rados
        import rbd
    except ImportError as error:
        raise exceptions.InvalidOption(
            "allowed_location_schemes: rbd locations need the modules rados and rbd, which come"
            f" with Ceph (python3-rados, python3-rbd): {type(error).__name__}"
        ) from error
    return rados, rbd


class _Cluster:
    """One connection, for one image.

    :param rados: the module.
    :param rbd: the module.
    """

    def __init__(self, rados: typing.Any, rbd: typing.Any, options: Options) -> None:
        self._rados = rados
        self._rbd = rbd
        self._options = options

    @contextlib.contextmanager
    def snapshot(self, fsid: str, pool: str, image: str, snapshot: str) -> Iterator[typing.Any]:
        """Open a snapshot for reading; it and the connection are closed in the end."""
        with contextlib.ExitStack() as stack:
            with self.told("the Ceph cluster cannot be reached"):
                cluster = self._configured()
                stack.callback(cluster.shutdown)
                # Its argument timeout does nothing.
                cluster.connect()
                found = cluster.get_fsid()
            if found != fsid:
                _refuse("it is in another Ceph cluster")
            with self.told("its pool cannot be opened"):
                pool_of = stack.enter_context(contextlib.closing(cluster.open_ioctx(pool)))
            with self.told("its snapshot cannot be opened"):
                opened = self._rbd.Image(pool_of, image, snapshot=snapshot, read_only=True)
                stack.enter_context(contextlib.closing(opened))
            yield opened

    def _configured(self) -> typing.Any:
        return self._rados.Rados(
            conffile=self._options.ceph_conf,
            rados_id=self._options.ceph_user or None,
            conf=_time_outs(self._options),
        )

    @contextlib.contextmanager
    def told(self, what: str) -> Iterator[None]:
        """Turn errors of the modules, whose texts hold what a location says, into OSErrors."""
        try:
            yield
        except (self._rados.Error, self._rbd.Error) as error:
            number = getattr(error, "errno", None) or errno.EIO
            raise OSError(number, f"{what}: {os.strerror(number)}") from error


def _time_outs(options: Options) -> Mapping[str, str]:
    """What librados waits for; by default it waits for storage without an end."""
    connect, stall = map(_whole_seconds, (options.connect_timeout, options.stall_timeout))
    return {
        "client_mount_timeout": connect,
        "rados_mon_op_timeout": connect,
        "rados_osd_op_timeout": stall,
    }


def _whole_seconds(seconds: float) -> str:
    """As librados takes them; 0 would be for ever."""
    return str(min(math.ceil(seconds), _LONGEST))
