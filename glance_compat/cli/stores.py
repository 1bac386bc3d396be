# SPDX-License-Identifier: Apache-2.0
"""``glance-compat stores``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from cliff.lister import Lister

from glance_compat.cli import cloud, formatting
from glance_compat.cli.usage import check_columns

_COLUMNS = ("id", "default", "read_only", "type", "description")


class Stores(Lister):
    """List the stores for the data of images; needs v2.8.

    The type of a store is shown only to those who may see it, usually admins.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the column names and the rows."""
        check_columns(parsed_args.columns, _COLUMNS)
        service = cloud.Cloud(self.app.options).checked_service()
        write = formatting.formatter_for(parsed_args.formatter)
        return _COLUMNS, [
            [write(dict(one)[name]) for name in _COLUMNS] for one in service.stores(None)
        ]
