# SPDX-License-Identifier: Apache-2.0
"""Findings of an audit that are known: those of an earlier audit, and those that were accepted.

What must live here: reading the two files, and the comparison with findings. What must not:
output.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Collection, Mapping, Sequence

import yaml

from glance_compat.audit.findings import Finding
from glance_compat.audit.sanity_kinds import ALL_KINDS_BY_NAME
from glance_compat.cli.usage import UsageError, suggest
from glance_compat.redaction import quote_value

#: The image, the kind and the subject of a finding.
Key = tuple[str | None, str, str]

#: The keys of an entry of the file with accepted findings; at least one of the first three.
_ENTRY = ("kind", "image", "property", "reason")


class Accepted:
    """The findings that an audit does not show.

    :param baseline: the findings of an earlier audit.
    :param entries: what was accepted; see :func:`read_entries`.
    :ivar in_baseline: number of findings that were hidden because of the baseline.
    :ivar ignored: number of findings that were hidden because they were accepted.
    """

    def __init__(
        self, baseline: Collection[Key] = (), entries: Sequence[Mapping[str, str]] = ()
    ) -> None:
        self._baseline = frozenset(baseline)
        self._entries = entries
        self.in_baseline = 0
        self.ignored = 0

    def hides(self, finding: Finding) -> bool:
        """Return whether a finding is known, and count it if it is."""
        if any(_matches(entry, finding) for entry in self._entries):
            self.ignored += 1
            return True
        if (finding.image_id, finding.kind.name, finding.match.subject) in self._baseline:
            self.in_baseline += 1
            return True
        return False


def _matches(entry: Mapping[str, str], finding: Finding) -> bool:
    subject = f"property {entry['property']}" if "property" in entry else None
    return (
        entry.get("kind") in (None, finding.kind.name)
        and entry.get("image") in (None, finding.image_id)
        and subject in (None, finding.match.subject)
    )


def read_baseline(path: str) -> frozenset[Key]:
    """Read the findings of an earlier audit.

    :param path: a file with the output of ``audit -f json``.
    :raises glance_compat.cli.usage.UsageError: the file cannot be read, or has another content.
    """
    try:
        found = json.loads(_read(path, "--baseline"))
        return frozenset((one["id"], str(one["kind"]), str(one["subject"])) for one in found)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(
            f"--baseline {quote_value(path)} must be the output of audit -f json with the columns"
            " id, kind and subject"
        ) from None


def read_entries(path: str) -> list[Mapping[str, str]]:
    """Read what was accepted.

    :param path: a YAML file with a list; each entry has ``reason``, and at least one of ``kind``,
        ``image`` (an id) and ``property``.
    :raises glance_compat.cli.usage.UsageError: the file cannot be read, or has another content.
    """
    try:
        found = yaml.safe_load(_read(path, "--ignore"))
    except (yaml.YAMLError, RecursionError):
        raise UsageError(f"--ignore {quote_value(path)} is not valid YAML") from None
    if not isinstance(found, list):
        raise UsageError(f"--ignore {quote_value(path)} must be a list of entries")
    return [_check_entry(path, number, one) for number, one in enumerate(found, 1)]


def _check_entry(path: str, number: int, entry: object) -> Mapping[str, str]:
    where = f"entry {number} of --ignore {quote_value(path)}"
    if not isinstance(entry, Mapping) or not all(isinstance(one, str) for one in entry.values()):
        raise UsageError(f"{where} must be a mapping of strings: {', '.join(_ENTRY)}")
    for key in entry:
        if key not in _ENTRY:
            raise UsageError(f"{where} has the unknown key {quote_value(key)}")
    if "reason" not in entry or len(entry) < 2:
        raise UsageError(f"{where} needs reason, and kind, image or property")
    kind = entry.get("kind")
    if kind is not None and kind not in ALL_KINDS_BY_NAME:
        raise UsageError(
            f"{where} has the unknown kind {quote_value(kind)}.{suggest(kind, ALL_KINDS_BY_NAME)}"
        )
    return typing.cast(Mapping[str, str], entry)


def _read(path: str, option: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read {option} {quote_value(path)}: {why}") from error
