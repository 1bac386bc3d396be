# SPDX-License-Identifier: Apache-2.0
"""``glance-compat serve``: run the embedded Glance, for tests in any language."""

from __future__ import annotations

import argparse
import ipaddress
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
        raise ValueError(f"must be a port number from 0 (any free port) to 65535, not {text!r}")
    return int(text)


class _Login(typing.NamedTuple):
    """A user that may log in."""

    name: str
    password: str
    projects: tuple[str, ...] | None = None
    roles: tuple[str, ...] = ("member",)


def _login(text: str) -> _Login:
    """Parse ``NAME:PASSWORD[:PROJECT,PROJECT[:ROLE,ROLE]]``."""
    parts = text.split(":")
    if not 2 <= len(parts) <= 4 or not parts[0]:
        raise ValueError(f"must be NAME:PASSWORD[:PROJECT,...[:ROLE,...]], not {text!r}")
    name, password, projects, roles = (*parts, "", "")[:4]
    return _Login(name, password, _names(projects) or None, _names(roles) or ("member",))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


class Serve(Command):
    """Run a Glance in memory until SIGTERM or Ctrl-C.

    The first line of output is its URL. Any string is a valid token of an ordinary member;
    user:project:role,role names another identity. Clients can log in at /identity, which emulates
    Keystone; the settings that they need are written to stderr.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the arguments of this command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1"
        )
        parser.add_argument(
            "--port",
            type=argument_type(_port),
            default=0,
            help="port to listen on; default: a free one",
        )
        parser.add_argument(
            "--allow-host",
            dest="allowed_hosts",
            metavar="NAME",
            action="append",
            default=[],
            help="further host name under which clients reach the server, such as a service name"
            " of Docker Compose; * allows every name; may be repeated. Addresses, localhost and"
            " the name of this host are always allowed",
        )
        parser.add_argument(
            "--api",
            "--apis",
            dest="apis",
            metavar="VERSIONS",
            type=argument_type(_apis),
            action="append",
            help="enabled APIs: v1, v2 or v1,v2; may be repeated; default: all of the release",
        )
        parser.add_argument(
            "--release",
            default="pike",
            help="release of Glance to emulate: kilo, mitaka, newton, pike (15.0.2, the default),"
            " rocky, train, yoga or 33; those after pike have only v2",
        )
        parser.add_argument("--prefix", default="", help="path of the endpoint, such as /image")
        parser.add_argument(
            "--images",
            choices=("none", "nova"),
            default="none",
            help="initial images: none (the default), or those of Nova's functional tests",
        )
        parser.add_argument(
            "--user",
            dest="users",
            metavar="NAME:PASSWORD[:PROJECT,...[:ROLE,...]]",
            type=argument_type(_login),
            action="append",
            help="a user that may log in; default: in all projects, with the role member; may be"
            " repeated. Without this option every name and password is accepted, and admin is an"
            " administrator",
        )
        parser.add_argument(
            "--strict-tokens",
            action="store_true",
            help="accept only tokens from a log-in",
        )
        parser.add_argument(
            "--export",
            choices=tuple(FORMS),
            default="openrc",
            help="form of the settings on stderr for clients that log in; default: openrc",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve until a signal; return the exit code 0."""
        fixture = self._fixture(parsed_args)
        # The signals are blocked in all threads and taken by sigwait, so that an early or a late
        # one ends the server cleanly; a handler could interrupt any code.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            with fixture as glance:
                self.app.stdout.write(f"{glance.url}\n")
                self.app.stdout.flush()
                credentials = _credentials(glance, parsed_args)
                self.app.stderr.write(_warning(parsed_args.host))
                self.app.stderr.write(FORMS[parsed_args.export](credentials))
                self.app.stderr.flush()
                signal.sigwait(_ENDS)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return 0

    def _fixture(self, parsed_args: argparse.Namespace) -> GlanceFixture:
        # Only this command needs the extra.
        with require_extra("fixtures"):
            from glance_compat.fixture import NOVA_IMAGES, GlanceFixture, User

        apis = [one for group in parsed_args.apis or [("v1", "v2")] for one in group]
        try:
            return GlanceFixture(
                apis=apis,
                release=parsed_args.release,
                prefix=parsed_args.prefix,
                images=NOVA_IMAGES if parsed_args.images == "nova" else (),
                users=[User(*login) for login in parsed_args.users or ()],
                strict_tokens=parsed_args.strict_tokens,
                host=parsed_args.host,
                port=parsed_args.port,
                allowed_hosts=parsed_args.allowed_hosts,
                fault_injection=False,
                fail_on="nothing",
                recorded_requests=0,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error


def _warning(host: str) -> str:
    """Return a warning for an address that other hosts can reach, else nothing.

    It is a comment, because shells and YAML parsers read stderr.
    """
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if local:
        return ""
    return (
        f"# warning: the server listens on {host}. Every host that can reach this address can use"
        " it, and without --user and --strict-tokens every password and token is valid.\n"
    )


def _credentials(glance: GlanceFixture, parsed_args: argparse.Namespace) -> Credentials:
    """Return the credentials of the first user."""
    from glance_compat.fixture import ORDINARY_PROJECT, ORDINARY_USER, REGION

    login = (parsed_args.users or [_Login(ORDINARY_USER, "any")])[0]
    return Credentials(
        auth_url=f"{glance.auth_url}/v3",
        username=login.name,
        password=login.password,
        project_name=(login.projects or (ORDINARY_PROJECT,))[0],
        region_name=REGION,
    )
