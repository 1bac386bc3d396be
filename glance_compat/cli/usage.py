# SPDX-License-Identifier: Apache-2.0
"""What the command line says that cannot be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


class UsageError(Exception):
    """Options contradict each other or are missing; exit code 2."""


def checked(check: Callable[[str], Value]) -> Callable[[str], Value]:
    """A type for argparse: a ValueError of the check is a usage error, in its words."""

    def read(text: str) -> Value:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read
