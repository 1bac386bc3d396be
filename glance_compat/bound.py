# SPDX-License-Identifier: Apache-2.0
"""Methods that pass a fixed context to the methods of a service.

What must live here: deriving such a method, with its signature and docstring, from a method that
takes a context. What must not: the methods themselves (see ``service``), and reading a context
(see ``routing.context``).
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable

S = typing.TypeVar("S", covariant=True)
P = typing.ParamSpec("P")
R = typing.TypeVar("R")
F = typing.TypeVar("F", bound=Callable[..., object])


class Bound(typing.Generic[S]):
    """A service, and the context that is passed as first argument to each of its methods.

    :param service: the service whose methods are called.
    :param context: the caller's request context, or None for the service's own credentials.
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
    """Return a method for a subclass of :class:`Bound` that calls ``method`` with its context.

    :param method: a method of the service; its first argument after ``self`` is the context.
    """

    @described_by(method)
    def call(bound: Bound[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(bound.service, bound.context, *args, **kwargs)

    return call


def described_by(method: Callable[..., object]) -> Callable[[F], F]:
    """Decorate a method with the name, docstring and signature of another, without the context.

    ``help()`` and Sphinx show these.

    :param method: the method to copy them from; its first argument after ``self`` is the context.
    """
    # Annotations are evaluated here, because Sphinx would look for their names in this module.
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
