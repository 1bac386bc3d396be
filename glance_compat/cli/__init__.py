# SPDX-License-Identifier: Apache-2.0
"""The command line ``glance-compat``, for interactive use and for shell scripts.

What must live here: the commands, and code that prints their results. What must not: code that
handles a difference between v1 and v2.

Imports take most of the time of a short command, so a package that only one command needs is
imported by that command. The extra ``cli`` installs the required packages; ``demo`` and ``serve``
also need the extra ``fixtures``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``glance-compat``.

    :param argv: the command-line arguments; None: ``sys.argv[1:]``, and handle Ctrl-C from now on
        until the process ends.
    :returns: the exit code: 0 success, 1 failure, 2 usage error, 3 the audit has findings, 130
        interrupted.
    """
    try:
        from glance_compat.cli.interrupts import HANDLER

        if argv is None:
            HANDLER.install()
        with HANDLER.importing():
            try:
                from glance_compat.cli import app
            except ModuleNotFoundError as missing:
                # pip installs the glance-compat script even without the extra cli.
                sys.stderr.write(
                    f"glance-compat needs the package {missing.name}:"
                    " python3 -m pip install 'glance-compat[cli]'\n"
                )
                return 1
        result = app.run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted\n")
        return 130
    if argv is None:
        HANDLER.finish(result)
    return result
