# SPDX-License-Identifier: Apache-2.0
"""Format the findings of an audit as one page of HTML that needs no network.

Image metadata, which any user may have written, is escaped; and a Content-Security-Policy allows
no other script and style than those of the page. What must live here: the HTML of the page. What
must not: its style and script (``audit_page_assets``), and writing the file.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import html
from collections.abc import Iterable, Iterator

from glance_compat.audit.findings import Finding
from glance_compat.audit.kinds import SEVERITIES
from glance_compat.cli.audit_page_assets import SCRIPT, STYLE
from glance_compat.cli.audit_report import Report
from glance_compat.cli.audit_summary import WORST_FIRST
from glance_compat.cli.formatting import escape_controls

_COLUMNS = ("severity", "kind", "id", "image", "project", "subject", "details")

#: Width of the longest bar.
_BAR = 100


def format_page(report: Report, now: datetime.datetime) -> Iterator[str]:
    """Yield the parts of the page.

    :param report: what is known at the end of the audit.
    :param now: the time of the audit, which the page shows.
    """
    yield _head()
    yield f"<h1>Audit of images</h1>\n<p>{now:%Y-%m-%d %H:%M} UTC. "
    yield "<br>\n".join(map(_escape, report.totals()))
    yield "</p>\n<h2>Kinds of finding</h2>\n"
    yield from _kinds(report)
    yield "<h2>Projects</h2>\n"
    yield from _projects(report)
    yield "<h2>Findings</h2>\n"
    yield from _findings(report)
    yield f"<script>{SCRIPT}</script>\n</body>\n</html>\n"


def _head() -> str:
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(STYLE)}'",
            f"script-src '{_hash(SCRIPT)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Audit of images</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )


def _hash(text: str) -> str:
    """Return the source of a Content-Security-Policy that allows one script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _escape(text: str) -> str:
    return html.escape(escape_controls(text))


def _kinds(report: Report) -> Iterator[str]:
    most = max((count for _, _, count in report.tally.kinds), default=0)
    yield _table_head(("severity", "kind", "findings", "images", "", "meaning, and what to do"))
    for kind, images, count in report.tally.kinds:
        bar = f'<svg viewBox="0 0 {_BAR} 8" preserveAspectRatio="none" role="presentation">'
        bar += f'<rect width="{max(_BAR * count / most, 0.5):.1f}" height="8"/></svg>'
        yield (
            f'<tr class="{_escape(kind.severity)}"><td class="word">{_escape(kind.severity)}</td>'
            f'<td class="word">{_escape(kind.name)}</td><td class="number">{count}</td>'
            f'<td class="number">{images or ""}</td><td class="bar">{bar}</td>'
            f"<td>{_escape(kind.meaning)}<br>To do: {_escape(kind.to_do)}</td></tr>\n"
        )
    yield "</tbody></table>\n"


def _projects(report: Report) -> Iterator[str]:
    yield _table_head(("project", *WORST_FIRST), "narrow")
    for owner, counts in report.projects():
        cells = "".join(f'<td class="number">{counts[name] or ""}</td>' for name in WORST_FIRST)
        yield f"<tr><td>{_escape(report.project(owner))}</td>{cells}</tr>\n"
    yield "</tbody></table>\n"


def _table_head(names: Iterable[str], style: str = "") -> str:
    cells = "".join(f'<th scope="col">{_escape(name)}</th>' for name in names)
    return f'<table class="{style}"><thead><tr>{cells}</tr></thead><tbody>\n'


def _findings(report: Report) -> Iterator[str]:
    yield '<p><label>Search: <input type="search" id="search" autocomplete="off"></label> '
    yield f'<output id="shown">{len(report.findings)}</output></p>\n'
    cells = "".join(
        f'<th scope="col"><button type="button">{name}</button></th>' for name in _COLUMNS
    )
    yield f'<table id="findings"><thead><tr>{cells}</tr></thead><tbody>\n'
    for one in (*report.not_about_images(), *(one for group in report.images() for one in group)):
        yield _row(one, report)
    yield "</tbody></table>\n"


def _row(finding: Finding, report: Report) -> str:
    is_about_image = finding.image_id is not None
    words = (finding.kind.name, finding.image_id or "")
    texts = (
        finding.name or "",
        report.project(finding.owner) if is_about_image else "",
        finding.match.subject,
        finding.match.details,
    )
    severity = finding.kind.severity
    cells = "".join(f'<td class="word">{_escape(word)}</td>' for word in words)
    cells += "".join(f"<td>{_escape(text)}</td>" for text in texts)
    return f'<tr><td data-rank="{SEVERITIES.index(severity)}">{severity}</td>{cells}</tr>\n'
