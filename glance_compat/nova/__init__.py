# SPDX-License-Identifier: Apache-2.0
"""Nova's image module on top of this library: how it gets into its place, and out of it again.

``glance_compat.nova.glance`` is what stands where ``nova.image.glance`` stands;
:func:`install` puts it there without a change of Nova's files. Importing this package imports
nothing of Nova, and nothing that eventlet has to patch first.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
import typing
from collections.abc import Sequence

#: The module of Nova that is stood in for.
NOVA_MODULE = "nova.image.glance"

_STAND_IN = "glance_compat.nova.glance"


class _Loader(importlib.abc.Loader):
    """Gives Nova's import the stand-in, which exists once whatever it is imported as."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(_STAND_IN)
        self._own = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        # The import system has written Nova's name into it, which a reload would follow.
        module.__spec__ = self._own
        typing.cast(typing.Any, module).trace_calls()


class _Finder(importlib.abc.MetaPathFinder):
    """Answers for Nova's image module alone."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != NOVA_MODULE:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader(), origin=_STAND_IN)


def is_installed() -> bool:
    """Whether Nova gets, or has got, this library's module."""
    return any(isinstance(one, _Finder) for one in sys.meta_path)


def install() -> None:
    """Make ``nova.image.glance`` this library's module, from Nova's first import of it on.

    To be called before Nova imports it; may be repeated.

    :raises RuntimeError: Nova's own module is imported already, and those who imported it keep it.
    """
    if is_installed():
        return
    if NOVA_MODULE in sys.modules:
        raise RuntimeError(
            f"{NOVA_MODULE} is imported already: call glance_compat.nova.install() before Nova"
            " imports it"
        )
    sys.meta_path.insert(0, _Finder())


def uninstall() -> None:
    """Let Nova find its own module again, where it has not imported it yet.

    Those who have imported this library's keep it until the process ends.
    """
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, _Finder)]
    module = sys.modules.get(NOVA_MODULE)
    if module is None or module is not sys.modules.get(_STAND_IN):
        return
    del sys.modules[NOVA_MODULE]
    package, _, name = NOVA_MODULE.rpartition(".")
    if getattr(sys.modules.get(package), name, None) is module:
        delattr(sys.modules[package], name)


def __getattr__(name: str) -> typing.Any:
    """The names of the stand-in, for those who import them from here."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_STAND_IN), name)
