# SPDX-License-Identifier: Apache-2.0
"""Replace Nova's image module with this library, and restore it.

:func:`install` makes Nova import ``glance_compat.nova.glance`` as ``nova.image.glance``; Nova's
files are not changed. Importing this package imports neither Nova nor any module that eventlet
must patch before its import.

What must live here: the import hook, and, in the modules, all code that depends on Nova. What must
not: an import of Nova at the top of a module.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
import typing
from collections.abc import Sequence

#: The name of the Nova module that is replaced.
NOVA_MODULE = "nova.image.glance"

_REPLACEMENT = "glance_compat.nova.glance"


class _Loader(importlib.abc.Loader):
    """Load the replacement: the same module object under both names."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(_REPLACEMENT)
        self._own = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        # Restore __spec__, which the import system has set to Nova's name; reload() uses it.
        module.__spec__ = self._own
        typing.cast(typing.Any, module).trace_calls()


class _Finder(importlib.abc.MetaPathFinder):
    """Find Nova's image module, and no other module."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != NOVA_MODULE:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader(), origin=_REPLACEMENT)


def is_installed() -> bool:
    """Return whether Nova imports, or has imported, this library's module."""
    return any(isinstance(one, _Finder) for one in sys.meta_path)


def install() -> None:
    """Replace ``nova.image.glance`` with this library's module.

    Call it before Nova imports its module. Further calls do nothing.

    :raises RuntimeError: Nova's own module is already imported, so that modules that imported it
        would keep using it.
    """
    if is_installed():
        return
    if NOVA_MODULE in sys.modules:
        raise RuntimeError(
            f"{NOVA_MODULE} cannot be replaced because it is already imported: call"
            " glance_compat.nova.install() before Nova imports it"
        )
    sys.meta_path.insert(0, _Finder())


def uninstall() -> None:
    """Undo :func:`install` for later imports.

    Modules that have already imported the replacement keep using it.
    """
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, _Finder)]
    module = sys.modules.get(NOVA_MODULE)
    if module is None or module is not sys.modules.get(_REPLACEMENT):
        return
    del sys.modules[NOVA_MODULE]
    package, _, name = NOVA_MODULE.rpartition(".")
    if getattr(sys.modules.get(package), name, None) is module:
        delattr(sys.modules[package], name)


def __getattr__(name: str) -> typing.Any:
    """Return an attribute of the replacement module, which is imported on first use."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_REPLACEMENT), name)
