# SPDX-License-Identifier: Apache-2.0
"""Settings of Sphinx."""

import contextlib
import sys
import typing
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
# The generated pages (docs/pages) read tables of the tests too.
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

project = "glance-compat"
copyright = "the glance-compat authors"  # noqa: A001 - Sphinx wants this name
release = metadata.version("glance-compat")
version = release

extensions = ["sphinx.ext.autodoc", "oslo_config.sphinxext", "reno.sphinxext"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["widths.css"]
html_title = f"{project} {version}"

# The contents at the side of a page have ``show()``, not ``ImageService.show()``.
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"

nitpicky = True
# Names of other projects are not links: the documentation is built without a network.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(collections|datetime|os|pathlib|ssl|typing|keystoneauth1|requests|oslo_config)\..*",
    )
]
# Sphinx does not evaluate the overloads of a decorated method, nor what is imported for type
# checkers only.
nitpick_ignore = [("py:class", "Progress"), ("py:class", "WSGIApplication")]


def generate_pages(_: Sphinx) -> None:
    """Write the pages that are generated from tables."""
    from pages import write_pages

    write_pages(DOCS)


def evaluate_annotations(_: Sphinx, function: object, bound_method: bool) -> None:
    """Evaluate annotations, so that Sphinx shows and links the classes that they name.

    Sphinx does so for functions, but not for constructors.
    """
    with contextlib.suppress(NameError, TypeError, AttributeError):
        # NameError: what is imported for type checkers only stays a string.
        function.__annotations__ = typing.get_type_hints(function)


def shorten_docstrings(
    _app: Sphinx, _what: str, name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Leave out what readers of the reference do not need.

    That is what belongs in a module, and a second copy of the documentation of a method.
    """
    _, bound, method = name.partition("glance_compat.BoundImageService.")
    if bound:
        lines[:] = [f"As :meth:`ImageService.{method}() <glance_compat.ImageService.{method}>`."]
    for number, line in enumerate(lines):
        if line.startswith("What must live here"):
            del lines[number:]
            break


#: What is not Python and has an anchor, an entry of the index and a role.
OBJECTS = ("capability", "filter", "finding", "sort-key")


def setup(app: Sphinx) -> None:
    """Register what this configuration adds to Sphinx."""
    for kind in OBJECTS:
        app.add_object_type(kind, kind, f"pair: %s; {kind.replace('-', ' ')}")
    app.connect("autodoc-process-docstring", shorten_docstrings)
    app.connect("builder-inited", generate_pages)
    app.connect("autodoc-before-process-signature", evaluate_annotations)
