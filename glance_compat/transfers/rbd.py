# SPDX-License-Identifier: Apache-2.0
"""The location handler for ``rbd`` URLs: reads image data directly from Ceph.

The facts about librados and librbd were verified with 16.2.15, on a cluster of that release.

What must live here: the check that a location may be read, and reading its snapshot. What must
not: checks of the option values (see ``options``), parsing of URLs (``urls``), and the fallback
for a location that cannot be read (``locations``).
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

#: Number of bytes per read. This is the default size of a Ceph object.
BLOCK_BYTES = 4 * 1024 * 1024

#: Maximum timeout, in seconds. librados does not accept all values of a float.
_LONGEST_SECONDS = 10**9


def read_snapshot(location: Location) -> Iterator[bytes]:
    """Yield the data of an ``rbd`` location.

    The location must be a snapshot of a Ceph image in an allowed pool, and the Ceph image must
    have the id of the Glance image as its name.

    :raises OSError: the location is not such a snapshot, or reading it failed or timed out.
    :raises glance_compat.exceptions.InvalidOption: the option ``allowed_location_schemes`` allows
        no pool, or Ceph's Python modules are not installed.
    """
    names = _parse_names(location)
    rados, rbd = _import_modules()
    cluster = _Cluster(rados, rbd, location.options)
    with cluster.snapshot(*names) as image:
        with cluster.as_os_errors("its size cannot be read"):
            size = image.size()
        # librbd raises an exception if a read goes beyond the end.
        for start in range(0, size, BLOCK_BYTES):
            with cluster.as_os_errors("it cannot be read"):
                block = image.read(start, min(BLOCK_BYTES, size - start))
            yield block


def _refuse(why: str) -> typing.NoReturn:
    raise PermissionError(errno.EPERM, why)


def _parse_names(location: Location) -> tuple[str, str, str, str]:
    """Check that a location may be read; return its fsid, pool, image and snapshot.

    :raises PermissionError: the location may not be read.
    :raises glance_compat.exceptions.InvalidOption: the options allow no pool.
    """
    pools = {names for entry in location.entries if (names := rbd_names_of(entry))}
    if not pools:
        raise exceptions.InvalidOption(
            "allowed_location_schemes: rbd alone would allow every pool; name the cluster and the"
            " pool, as in rbd://<fsid>/<pool>"
        )
    names = rbd_names_of(location.url)
    # URLs of the old form rbd://<image> name no cluster, pool or snapshot.
    if names is None or len(names) != 4:
        _refuse("it is not of the form rbd://fsid/pool/image/snapshot")
    fsid, pool, image, snapshot = names
    if (fsid, pool) not in pools:
        _refuse("it is not in an allowed pool")
    # Glance and Nova name the Ceph image after the Glance image (glance_store's rbd driver; Nova,
    # Rbd.direct_snapshot). Other images in the pool may belong to another user.
    if image != location.image_id:
        _refuse("its name is not the id of the image")
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
    :param options: the options with the Ceph user, configuration file and time limits.
    """

    def __init__(self, rados: typing.Any, rbd: typing.Any, options: Options) -> None:
        self._rados = rados
        self._rbd = rbd
        self._options = options

    @contextlib.contextmanager
    def snapshot(self, fsid: str, pool: str, image: str, snapshot: str) -> Iterator[typing.Any]:
        """Connect and open a snapshot for reading; close both at the end of the context."""
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
        """Convert errors of rados and rbd to OSError, whose message does not have the location.

        :param what: the start of the message.
        """
        try:
            yield
        except (self._rados.Error, self._rbd.Error) as error:
            number = getattr(error, "errno", None) or errno.EIO
            raise OSError(number, f"{what}: {os.strerror(number)}") from error


def _timeouts(options: Options) -> Mapping[str, str]:
    """Return the timeout settings for librados, which by default waits forever for storage."""
    connect, stall = map(_whole_seconds, (options.connect_timeout, options.stall_timeout))
    return {
        "client_mount_timeout": connect,
        "rados_mon_op_timeout": connect,
        "rados_osd_op_timeout": stall,
    }


def _whole_seconds(seconds: float) -> str:
    """Return seconds rounded up, because librados has no fractions and treats 0 as forever."""
    return str(min(math.ceil(seconds), _LONGEST_SECONDS))
