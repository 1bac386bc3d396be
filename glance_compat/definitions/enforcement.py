# SPDX-License-Identifier: Apache-2.0
"""Warn of properties that are not what their definitions allow, or refuse them.

What must live here: what the option ``property_definitions`` means, and which properties of a call
are checked. What must not: the checks (see ``checks``).
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Mapping, Sequence

from glance_compat import exceptions
from glance_compat.definitions.checks import Problem, find_problems
from glance_compat.definitions.properties import Definitions
from glance_compat.definitions.sources import DefinitionSource
from glance_compat.metadata.changes import select_changed_properties
from glance_compat.metadata.property_names import fold_name
from glance_compat.options import Options
from glance_compat.redaction import quote_value
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.transport.client import Identity

LOG = logging.getLogger(__name__)

_ADVICE = (
    ". The option property_definitions is refuse, so properties must be checked; set"
    " definitions_file, or set property_definitions to warn"
)


class PropertyRules:
    """Checks the properties that calls of one image service add or change.

    :param dispatcher: sends the calls of the service.
    :param options: the options of the library.
    :raises glance_compat.exceptions.InvalidOption: properties are to be checked, but the package
        jsonschema is not installed.
    """

    def __init__(self, dispatcher: Dispatcher, options: Options) -> None:
        self._dispatcher = dispatcher
        self._mode = options.property_definitions
        self._source = DefinitionSource(dispatcher, options)
        if self._mode != "off" and importlib.util.find_spec("jsonschema") is None:
            raise exceptions.InvalidOption(
                f"option property_definitions is {self._mode}, but the package jsonschema is not"
                " installed; install glance-compat[definitions]"
            )

    def get_definitions(self, identity: Identity) -> Definitions:
        """Return the definitions that are in force for a caller."""
        return self._source.get(identity)

    def check_new(self, identity: Identity, properties: Mapping[str, str]) -> None:
        """Check the properties of a new image.

        :raises glance_compat.exceptions.PropertyInvalid: a value is not allowed, and the option is
            "refuse".
        :raises glance_compat.exceptions.GlanceCompatError: the definitions cannot be had, and the
            option is "refuse".
        """
        problems = self._find_problems(identity, properties)
        if problems:
            self._report(problems, None)

    def check_update(
        self, identity: Identity, image_id: str, properties: Mapping[str, str]
    ) -> None:
        """Check the properties that an update adds or changes.

        The image is fetched only if a value is not allowed, because the image may have that value
        already. The exceptions are those of :meth:`check_new`.
        """
        problems = self._find_problems(identity, properties)
        if not problems:
            return
        try:
            found = self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        except exceptions.GlanceCompatError:
            if self._mode == "refuse":
                raise
            # The update itself may need no GET.
            self._report(problems, image_id)
            return
        current = found["properties"]
        changed = select_changed_properties(current, {one.name: one.value for one in problems})
        # v1 has the property under its folded name.
        remaining = [
            one
            for one in problems
            if one.name in changed
            and select_changed_properties(current, {fold_name(one.name): one.value})
        ]
        if remaining:
            self._report(remaining, image_id)

    def _find_problems(
        self, identity: Identity, properties: Mapping[str, str]
    ) -> Sequence[Problem]:
        if not properties:
            return ()
        try:
            definitions = self._source.get(identity)
        except exceptions.GlanceCompatError as error:
            if self._mode == "refuse":
                error.message = error.message.rstrip(".") + _ADVICE
                raise
            if isinstance(error, exceptions.UnsupportedByVersion):
                _warn_once(str(error))
            else:
                LOG.warning("Properties of images are not checked: %s", error)
            return ()
        if not definitions:
            _warn_once(f"{definitions.source} has no definitions of them")
        return find_problems(definitions, properties)

    def _report(self, problems: Sequence[Problem], image_id: str | None) -> None:
        if self._mode == "refuse":
            raise _invalid(problems[0], image_id)
        for one in problems:
            LOG.warning("A metadata definition is not met: %s", _invalid(one, image_id))


def _invalid(problem: Problem, image_id: str | None) -> exceptions.PropertyInvalid:
    definition = problem.definitions[0]
    namespaces = dict.fromkeys(one.namespace for one in problem.definitions)
    image = f" of image {quote_value(image_id)}" if image_id is not None else ""
    return exceptions.PropertyInvalid(
        f"property {quote_value(problem.name)}{image} must be {problem.allowed}, not"
        f" {quote_value(problem.value)} (metadata definitions:"
        f" {', '.join(map(quote_value, namespaces))}); change the value, or see"
        " property_definitions()",
        name=problem.name,
        value=problem.value,
        namespace=definition.namespace,
        definition=definition,
        allowed=problem.allowed,
        image_id=image_id,
    )


@functools.lru_cache(maxsize=1024)
def _warn_once(reason: str) -> None:
    """Log a warning, once for each reason: lru_cache skips further calls."""
    LOG.warning("Properties of images are not checked: %s", reason)
