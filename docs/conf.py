# SPDX-License-Identifier: Apache-2.0
"""Settings of Sphinx."""

from importlib import metadata

project = "glance-compat"
copyright = "the glance-compat authors"  # noqa: A001 - Sphinx wants this name
release = metadata.version("glance-compat")
version = release

extensions = ["sphinx.ext.autodoc", "oslo_config.sphinxext", "reno.sphinxext"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": metadata.metadata("glance-compat")["Summary"]}

autodoc_member_order = "bysource"
autodoc_typehints = "description"
# Names of other projects are not links: the documentation is built without a network.
nitpicky = False
