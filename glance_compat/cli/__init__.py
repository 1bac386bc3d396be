# SPDX-License-Identifier: Apache-2.0
"""The command line ``glance-compat``: the library for people and for shell scripts.

It is one host among others: nothing here knows v1 from v2. What only one command needs is
imported by that command, since most of the time of a short command goes into imports. The
packages that it needs are the extra ``cli``; ``demo`` and ``serve`` need ``fixtures`` as well.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``glance-compat``.

    :param argv: default: the process's own arguments.
    :returns: the exit code: 0 done, 1 failed, 2 wrong usage, 3 something was found.
    """
    try:
        from glance_compat.cli import app
    except ModuleNotFoundError as missing:
        # It is installed as a program even where the extra is not.
        sys.stderr.write(
            f"glance-compat needs the package {missing.name}:"
            " python3 -m pip install 'glance-compat[cli]'\n"
        )
        return 1
    return app.run(sys.argv[1:] if argv is None else argv)
