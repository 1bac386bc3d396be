# SPDX-License-Identifier: Apache-2.0
"""The methods of a service without their first argument, the context.

What must live here: how such a method is made of one that takes a context. What must not: the
methods (``service``), and what a context means (``routing.context``).
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable

S = typing.TypeVar("S")
P = typing.ParamSpec("P")
R = typing.TypeVar("R")
F = typing.TypeVar("F", bound=Callable[..., object])


class Bound(typing.Generic[S]):
    """A service together with the context that is passed to each of its methods.

    :param service: the service.
    :param context: the first argument of each call.
    """

    def __init__(self, service: S, context: object) -> None:
        self.service = service
        self.context = context

    def __repr__(self) -> str:
        # Never the repr of a context: it may hold a token.
        context = "" if self.context is None else f"<{type(self.context).__name__}>"
        return f"{self.service!r}.bound({context})"


def without_context(
    method: Callable[typing.Concatenate[S, object, P], R],
) -> Callable[typing.Concatenate[Bound[S], P], R]:
    """Make a method of :class:`Bound` of a method whose first argument is a context."""

    @described_by(method)
    def call(bound: Bound[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(bound.service, bound.context, *args, **kwargs)

    return call


def described_by(method: Callable[..., object]) -> Callable[[F], F]:
    """Give a method of :class:`Bound` name, docstring and signature of another, but the context.

    They are what ``help()`` and Sphinx show.
    """
    # Evaluated, because Sphinx would look for the names in this module.
    signature = inspect.signature(method, eval_str=True)
    itself, _, *others = signature.parameters.values()
    lines = inspect.cleandoc(method.__doc__ or "").splitlines()
    documented = "\n".join(one for one in lines if not one.startswith(":param context:"))

    def describe(call: F) -> F:
        functools.update_wrapper(call, method)
        call.__doc__ = documented
        vars(call)["__signature__"] = signature.replace(parameters=[itself, *others])
        return call

    return describe
