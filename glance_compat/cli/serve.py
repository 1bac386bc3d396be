# SPDX-License-Identifier: Apache-2.0
"""``glance-compat serve``: a Glance in memory, for tests in any language and for trying out."""

from __future__ import annotations

import argparse
import signal
import typing

from cliff.command import Command

from glance_compat.cli.credentials import FORMS, Credentials
from glance_compat.cli.usage import UsageError, argument_type, require_extra

if typing.TYPE_CHECKING:
    from glance_compat.fixture import GlanceFixture

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


class _Person(typing.NamedTuple):
    """Somebody who may log in."""

    name: str
    password: str
    projects: tuple[str, ...] | None = None
    roles: tuple[str, ...] = ("member",)


def _person(text: str) -> _Person:
    """Read ``NAME:PASSWORD[:PROJECT,PROJECT[:ROLE,ROLE]]``."""
    parts = text.split(":")
    if not 2 <= len(parts) <= 4 or not parts[0]:
        raise ValueError(f"must be NAME:PASSWORD[:PROJECT,...[:ROLE,...]], not {text!r}")
    name, password, projects, roles = (*parts, "", "")[:4]
    return _Person(name, password, _names(projects) or None, _names(roles) or ("member",))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


class Serve(Command):
    """Serve a Glance in memory until SIGTERM or Ctrl-C.

    The first line of output is its URL. A token is any text, which is an ordinary member of one
    project; user:project:role,role says who it is. No Keystone is needed: below /identity is as
    much of one as clients need that log in first. What they have to be told is on stderr.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add address and kind of server."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--host", default="127.0.0.1", help="address; default: 127.0.0.1")
        parser.add_argument(
            "--port", type=argument_type(_port), default=0, help="port; default: a free one"
        )
        parser.add_argument(
            "--api",
            "--apis",
            dest="apis",
            metavar="VERSIONS",
            type=argument_type(_apis),
            action="append",
            help="v1, v2 or v1,v2; may be repeated; default: all that the release has",
        )
        parser.add_argument(
            "--release",
            default="pike",
            help="the Glance that it behaves like: kilo, mitaka, newton, pike (15.0.2, the"
            " default), rocky, train, yoga or 33; from rocky on with v2 alone",
        )
        parser.add_argument("--prefix", default="", help="path below which it is served: /image")
        parser.add_argument(
            "--images",
            choices=("none", "nova"),
            default="none",
            help="what is there from the beginning: nothing (the default), or the images of"
            " Nova's functional tests",
        )
        parser.add_argument(
            "--user",
            dest="users",
            metavar="NAME:PASSWORD[:PROJECT,...[:ROLE,...]]",
            type=argument_type(_person),
            action="append",
            help="who may log in, in all projects unless some are named, with the role member"
            " unless others are; may be repeated. Without it anybody may, with any password, and"
            " admin is an administrator",
        )
        parser.add_argument(
            "--strict-tokens",
            action="store_true",
            help="let in only tokens that were given out after a log-in",
        )
        parser.add_argument(
            "--export",
            choices=tuple(FORMS),
            default="openrc",
            help="what to write to stderr for clients that log in; default: openrc",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve; the exit code is 0."""
        fixture = self._fixture(parsed_args)
        # Blocked signals wait for sigwait, in this thread and in those of the server, so that one
        # that comes early or late ends it as cleanly; a handler could interrupt anything.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            with fixture as glance:
                self.app.stdout.write(f"{glance.url}\n")
                self.app.stdout.flush()
                self.app.stderr.write(FORMS[parsed_args.export](_login(glance, parsed_args)))
                self.app.stderr.flush()
                signal.sigwait(_ENDS)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return 0

    def _fixture(self, parsed_args: argparse.Namespace) -> GlanceFixture:
        # The server and what it stands on are for this command alone.
        with require_extra("fixtures"):
            from glance_compat.fixture import NOVA_IMAGES, GlanceFixture, User

        apis = [one for group in parsed_args.apis or [("v1", "v2")] for one in group]
        try:
            return GlanceFixture(
                apis=apis,
                release=parsed_args.release,
                prefix=parsed_args.prefix,
                images=NOVA_IMAGES if parsed_args.images == "nova" else (),
                users=[User(*person) for person in parsed_args.users or ()],
                strict_tokens=parsed_args.strict_tokens,
                host=parsed_args.host,
                port=parsed_args.port,
                injectable=False,
                fail_on="nothing",
            )
        except ValueError as error:
            raise UsageError(str(error)) from error


def _login(glance: GlanceFixture, parsed_args: argparse.Namespace) -> Credentials:
    """Say how to log in: as the first who may."""
    from glance_compat.fixture import ORDINARY_PROJECT, ORDINARY_USER, REGION

    anybody = _Person(ORDINARY_USER, "any")
    person = (parsed_args.users or [anybody])[0]
    return Credentials(
        auth_url=f"{glance.auth_url}/v3",
        username=person.name,
        password=person.password,
        project_name=(person.projects or (ORDINARY_PROJECT,))[0],
        region_name=REGION,
    )
