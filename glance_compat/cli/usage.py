# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a command before it begins: its options, or what it stands on."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

Value = TypeVar("Value")


class UsageError(Exception):
    """Options contradict each other or are missing; exit code 2."""


class MissingPackage(Exception):
    """A command needs an extra that is not installed."""


@contextlib.contextmanager
def needs(extra: str) -> Iterator[None]:
    """Say what to install when an import fails.

    :param extra: the extra of this package that has what is imported.
    :raises glance_compat.cli.usage.MissingPackage: it is not there.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or str(missing)).partition(".")[0]
        raise MissingPackage(
            f"this command needs the package {package}:"
            f" python3 -m pip install 'glance-compat[{extra}]'"
        ) from missing


def checked(check: Callable[[str], Value]) -> Callable[[str], Value]:
    """A type for argparse: a ValueError of the check is a usage error, in its words."""

    def read(text: str) -> Value:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read
