# SPDX-License-Identifier: Apache-2.0
"""``glance-compat serve``: a Glance in memory, for tests in any language and for trying out."""

from __future__ import annotations

import argparse
import signal

from cliff.command import Command

from glance_compat.cli.usage import UsageError, checked, needs

_ENDS = frozenset({signal.SIGTERM, signal.SIGINT})


def _apis(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    if not set(found) <= {"v1", "v2"}:
        raise ValueError(f"must be v1, v2 or v1,v2, not {text!r}")
    return found


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ValueError(f"must be a port, 0 for a free one, not {text!r}")
    return int(text)


class Serve(Command):
    """Serve a Glance in memory until SIGTERM or Ctrl-C.

    The first line of output is its URL. A token is any text, which is an ordinary member of one
    project; user:project:role,role says who it is. No Keystone is needed.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add address and kind of server."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--host", default="127.0.0.1", help="address; default: 127.0.0.1")
        parser.add_argument(
            "--port", type=checked(_port), default=0, help="port; default: a free one"
        )
        parser.add_argument(
            "--api",
            "--apis",
            dest="apis",
            metavar="VERSIONS",
            type=checked(_apis),
            action="append",
            help="v1, v2 or v1,v2; may be repeated; default: all that the release has",
        )
        parser.add_argument(
            "--release",
            default="pike",
            help="the Glance that it behaves like: pike (15.0.2, the default) or 33, which has"
            " v2 alone",
        )
        parser.add_argument("--prefix", default="", help="path below which it is served: /image")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve; the exit code is 0."""
        # The server and what it stands on are for this command alone.
        with needs("fixtures"):
            from glance_compat.fixture import GlanceFixture

        apis = [one for group in parsed_args.apis or [("v1", "v2")] for one in group]
        try:
            fixture = GlanceFixture(
                apis=apis,
                release=parsed_args.release,
                prefix=parsed_args.prefix,
                host=parsed_args.host,
                port=parsed_args.port,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error
        # Blocked signals wait for sigwait, in this thread and in those of the server, so that one
        # that comes early or late ends it as cleanly; a handler could interrupt anything.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            with fixture as glance:
                self.app.stdout.write(f"{glance.url}\n")
                self.app.stdout.flush()
                signal.sigwait(_ENDS)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return 0
