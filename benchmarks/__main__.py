# SPDX-License-Identifier: Apache-2.0
"""The command line; see ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator

from benchmarks import (
    canned_server,
    embedded,
    embedded_server,
    instructions,
    link,
    memory,
    programs,
    rounds,
    tables,
    targets,
)
from benchmarks import worker as worker_process
from benchmarks.jobs import JOBS
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import Target

_MIB = 2**20


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    def checked(text: str) -> list[str]:
        names = text.split(",")
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}; choose from {', '.join(known)}"
            )
        return names

    return checked


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=_DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, text, default_jobs) in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        _add_target(command)
        command.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
        command.add_argument("--calls", type=int, help="in a round; default: as the job says")
        command.add_argument(
            "--jobs", type=_names(JOBS), default=default_jobs, help=f"of {', '.join(JOBS)}"
        )
        command.add_argument(
            "--subjects",
            type=_names(SUBJECTS),
            default=list(SUBJECTS),
            help=f"of {', '.join(SUBJECTS)}",
        )
        command.add_argument(
            "--nova-python",
            metavar="FILE",
            default=sys.executable,
            help="an interpreter that has Nova 34, for the subject nova-34",
        )
    _add_embedded(commands)
    _add_processes(commands)
    return parser


def _add_target(command: argparse.ArgumentParser) -> None:
    command.add_argument("--images", type=int, default=10_000, help="default: %(default)s")
    command.add_argument(
        "--mib", type=int, default=256, help="size of the data, in MiB; default: %(default)s"
    )
    _add_real(command)


def _add_real(command: argparse.ArgumentParser) -> None:
    command.add_argument("--endpoint", metavar="URL", help="a real Glance, without a version")
    command.add_argument("--token", help="for it, of a user who may create images")
    command.add_argument(
        "--os-cloud", metavar="NAME", help="take both from this cloud of clouds.yaml"
    )
    command.add_argument(
        "--apis", type=_names(("v1", "v2")), help="only these; default: all that are offered"
    )


def _add_embedded(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "the embedded Glance over sockets, beside a real one if there is one"
    command = commands.add_parser("embedded", help=text, description=text)
    command.add_argument("--images", type=int, default=10_000, help="default: %(default)s")
    command.add_argument("--release", default="33", help="default: %(default)s")
    command.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    command.add_argument(
        "--calls", type=int, default=300, help="shows in a round; default: %(default)s"
    )
    _add_real(command)


def _add_processes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    server = commands.add_parser("canned-server", help="serve; used by the other commands")
    server.add_argument("--images", type=int, default=10_000)
    server.add_argument("--bytes", type=int, default=_MIB)
    server.add_argument("--awkward", action="store_true")
    embedded = commands.add_parser("embedded-server", help="serve; used by the command embedded")
    embedded.add_argument("--images", type=int, default=10_000)
    embedded.add_argument("--release", default="33")
    forwarding = commands.add_parser("link", help="forward; used by the command delays")
    forwarding.add_argument("url")
    worker = commands.add_parser("worker", help="run a subject; used by the other commands")
    for name in ("subject", "api", "target"):
        worker.add_argument(name)


@contextlib.contextmanager
def _target(chosen: argparse.Namespace) -> Iterator[Target]:
    size = chosen.mib * _MIB
    opened = _real(chosen, chosen.images, size) or targets.canned(chosen.images, size)
    with opened as target:
        yield target.speaking(chosen.apis or target.apis)


def _real(
    chosen: argparse.Namespace, images: int, size: int
) -> contextlib.AbstractContextManager[Target] | None:
    """Return the real endpoint that the command line names, filled with images."""
    if chosen.os_cloud is not None:
        url, token = targets.of_cloud(chosen.os_cloud)
        return targets.real(url, token, images, size)
    if chosen.endpoint is not None:
        return targets.real(chosen.endpoint.rstrip("/"), chosen.token, images, size)
    return None


def _python(chosen: argparse.Namespace, name: str) -> str:
    return str(chosen.nova_python) if name == "nova-34" else sys.executable


def _rounds(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    with contextlib.ExitStack() as stack:
        workers = {
            key: stack.enter_context(rounds.process(key, target, _python(chosen, key[0])))
            for key in rounds.keys(chosen.subjects, target.apis)
        }
        yield from rounds.run(workers, target, chosen.jobs, chosen.rounds, chosen.calls)


def _instructions(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    if not instructions.is_available():
        raise SystemExit("valgrind is not installed: its package has the same name")
    count = instructions.counter(target, functools.partial(_python, chosen))
    return instructions.run(count, chosen.subjects, target, chosen.jobs)


def _memory(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    def start(key: rounds.Key) -> contextlib.AbstractContextManager[rounds.Process]:
        return rounds.process(key, target, _python(chosen, key[0]))

    return memory.run(start, chosen.subjects, target, chosen.jobs)


def _programs(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    yield from programs.starts(chosen.rounds)
    if chosen.endpoint is not None or chosen.os_cloud is not None:
        yield programs.audit(target, chosen.rounds)
        return
    with targets.canned(chosen.images, _MIB, awkward=True) as awkward:
        yield programs.audit(awkward, chosen.rounds)


def _fixtures(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    from benchmarks import fixtures

    return [fixtures.run(100 * chosen.rounds)]


def _definitions(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    from benchmarks import definitions

    return [definitions.run(10_000 * chosen.rounds)]


def _copies(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    from benchmarks import copies

    return copies.run(chosen.mib, 1000, chosen.rounds)


def _delays(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    from benchmarks import delays

    return delays.run(chosen.mib, 1000, chosen.rounds)


def _embedded(chosen: argparse.Namespace) -> Iterator[tables.Table]:
    from benchmarks.subjects.plain_requests import offered

    with contextlib.ExitStack() as stack:
        opened = _real(chosen, 1, 0)
        real = None if opened is None else stack.enter_context(opened)
        server = stack.enter_context(embedded_server.started(chosen.release, chosen.images))
        apis = offered(server.target.url)
        yield from embedded.run(server, real, apis, chosen.rounds, chosen.calls)


def _all(chosen: argparse.Namespace, target: Target) -> Iterable[tables.Table]:
    for name, (function, _, jobs) in _COMMANDS.items():
        if name == "all" or (name == "instructions" and not instructions.is_available()):
            continue
        chosen.jobs = jobs
        yield from function(chosen, target)


_DESCRIPTION = "Measure the library and its peers; tables in Markdown go to standard output."

#: Name to function, help, and the jobs it does by default.
_COMMANDS = {
    "rounds": (_rounds, "time and CPU, in interleaved rounds", list(JOBS)),
    "instructions": (_instructions, "instructions per call, with valgrind", ["show", "list"]),
    "memory": (_memory, "peak memory of one call", ["list", "walk", "download", "upload"]),
    "programs": (_programs, "imports, command lines, and the audit of all images", []),
    "fixtures": (_fixtures, "a fresh embedded Glance for each test", []),
    "definitions": (_definitions, "checks of properties against metadata definitions", []),
    "copies": (_copies, "copies between two embedded clouds", []),
    "delays": (_delays, "downloads and lists over a link with a delay", []),
    "all": (_all, "everything", []),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    :param arguments: default: those of the process.
    :returns: exit code.
    """
    chosen = _parser().parse_args(arguments)
    if chosen.command == "canned-server":
        canned_server.main(chosen.images, chosen.bytes, awkward=chosen.awkward)
        return 0
    if chosen.command == "worker":
        return worker_process.main(chosen.subject, chosen.api, chosen.target)
    if chosen.command == "embedded-server":
        embedded_server.main(chosen.release, chosen.images)
        return 0
    if chosen.command == "link":
        link.main(chosen.url)
        return 0
    print(f"{tables.machine()}\n", flush=True)
    if chosen.command == "embedded":
        _print(_embedded(chosen))
        return 0
    with _target(chosen) as target:
        _print(_COMMANDS[chosen.command][0](chosen, target))
    return 0


def _print(found: Iterable[tables.Table]) -> None:
    for table in found:
        print(tables.markdown(table), flush=True)


if __name__ == "__main__":
    sys.exit(main())
