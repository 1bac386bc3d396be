# SPDX-License-Identifier: Apache-2.0
"""Read image data directly from Ceph: the handler of ``rbd`` locations.

The facts about librados and librbd were verified with 16.2.15, on a cluster of that release.

What must live here: which snapshots a location may name, and how they are read. What must not:
which clusters and pools the options may allow (``options``), the form of URLs (``urls``), what
happens to a location that cannot be read (``locations``).
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

#: Bytes to read from Ceph at a time: one object, unless the image was created with larger ones.
BLOCK_BYTES = 4 * 1024 * 1024

#: Longest timeout, in seconds; librados has fewer digits for timeouts than a float.
_LONGEST_SECONDS = 10**9


def read_snapshot(location: Location) -> Iterator[bytes]:
    """Handle ``rbd``: read a snapshot of the image with the image's own id, in an allowed pool.

    :raises OSError: it is not such a snapshot, or reading it takes too long.
    :raises glance_compat.exceptions.InvalidOption: no pool is allowed, or Ceph's Python modules
        are missing.
    """
    names = _parse_names(location)
    rados, rbd = _import_modules()
    cluster = _Cluster(rados, rbd, location.options)
    with cluster.snapshot(*names) as image:
        with cluster.as_os_errors("its size cannot be read"):
            size = image.size()
        # librbd raises an error for reads beyond the end.
        for start in range(0, size, BLOCK_BYTES):
            with cluster.as_os_errors("it cannot be read"):
                block = image.read(start, min(BLOCK_BYTES, size - start))
            yield block


def _refuse(why: str) -> typing.NoReturn:
    raise PermissionError(errno.EPERM, why)


def _parse_names(location: Location) -> tuple[str, str, str, str]:
    """Return the fsid, the pool, the image and the snapshot that a location names."""
    pools = {names for entry in location.entries if (names := rbd_names_of(entry))}
    if not pools:
        raise exceptions.InvalidOption(
            "allowed_location_schemes: rbd alone would allow every pool; name the cluster and the"
            " pool, as in rbd://<fsid>/<pool>"
        )
    names = rbd_names_of(location.url)
    # The older form rbd://<image> has no cluster, pool and snapshot.
    if names is None or len(names) != 4:
        _refuse("it is not of the form rbd://fsid/pool/image/snapshot")
    fsid, pool, image, snapshot = names
    if (fsid, pool) not in pools:
        _refuse("it is not in an allowed pool")
    # Glance and Nova use this name (glance_store's rbd driver; Nova, Rbd.direct_snapshot). Other
    # snapshots in the pool may belong to another user.
    if image != location.image_id:
        _refuse("it has another name than the image")
    return fsid, pool, image, snapshot


def _import_modules() -> tuple[typing.Any, typing.Any]:
    try:
        import rados
        import rbd
    except ImportError as error:
        raise exceptions.InvalidOption(
            "allowed_location_schemes: rbd locations need the Python modules rados and rbd;"
            " install Ceph's packages (python3-rados, python3-rbd):"
            f" {type(error).__name__}"
        ) from error
    return rados, rbd


class _Cluster:
    """A connection to a Ceph cluster, for one image.

    :param rados: the module ``rados``.
    :param rbd: the module ``rbd``.
    """

    def __init__(self, rados: typing.Any, rbd: typing.Any, options: Options) -> None:
        self._rados = rados
        self._rbd = rbd
        self._options = options

    @contextlib.contextmanager
    def snapshot(self, fsid: str, pool: str, image: str, snapshot: str) -> Iterator[typing.Any]:
        """Open a snapshot for reading, and close it and the connection afterwards."""
        with contextlib.ExitStack() as stack:
            with self.as_os_errors("the Ceph cluster cannot be reached"):
                cluster = self._configured()
                stack.callback(cluster.shutdown)
                # The argument timeout of connect() has no effect.
                cluster.connect()
                found = cluster.get_fsid()
            if found != fsid:
                _refuse("it is in another Ceph cluster")
            with self.as_os_errors("its pool cannot be opened"):
                pool_of = stack.enter_context(contextlib.closing(cluster.open_ioctx(pool)))
            with self.as_os_errors("its snapshot cannot be opened"):
                opened = self._rbd.Image(pool_of, image, snapshot=snapshot, read_only=True)
                stack.enter_context(contextlib.closing(opened))
            yield opened

    def _configured(self) -> typing.Any:
        return self._rados.Rados(
            conffile=self._options.ceph_conf,
            rados_id=self._options.ceph_user or None,
            conf=_timeouts(self._options),
        )

    @contextlib.contextmanager
    def as_os_errors(self, what: str) -> Iterator[None]:
        """Convert errors of the modules, whose messages repeat the location, to OSErrors."""
        try:
            yield
        except (self._rados.Error, self._rbd.Error) as error:
            number = getattr(error, "errno", None) or errno.EIO
            raise OSError(number, f"{what}: {os.strerror(number)}") from error


def _timeouts(options: Options) -> Mapping[str, str]:
    """Return timeouts for librados, which waits for storage forever by default."""
    connect, stall = map(_whole_seconds, (options.connect_timeout, options.stall_timeout))
    return {
        "client_mount_timeout": connect,
        "rados_mon_op_timeout": connect,
        "rados_osd_op_timeout": stall,
    }


def _whole_seconds(seconds: float) -> str:
    """Round seconds up, as librados has no fractions and treats 0 as forever."""
    return str(min(math.ceil(seconds), _LONGEST_SECONDS))
