# SPDX-License-Identifier: Apache-2.0
"""The command line ``glance-compat``: the library for people and for shell scripts.

What must live here: commands, and how their results are printed. What must not: any difference
between v1 and v2.

Imports take most of the time of a short command, so a package that only one command needs is
imported by that command. The extra ``cli`` brings the required packages; ``demo`` and ``serve``
need the extra ``fixtures`` as well.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``glance-compat``.

    :param argv: the arguments; None: those of the process.
    :returns: the exit code: 0 done, 1 failed, 2 wrong usage, 3 findings.
    """
    try:
        from glance_compat.cli import app
    except ModuleNotFoundError as missing:
        # The program is installed even without the extra.
        sys.stderr.write(
            f"glance-compat needs the package {missing.name}:"
            " python3 -m pip install 'glance-compat[cli]'\n"
        )
        return 1
    return app.run(sys.argv[1:] if argv is None else argv)
