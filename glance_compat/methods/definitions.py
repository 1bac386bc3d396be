# SPDX-License-Identifier: Apache-2.0
"""Property definitions: what the metadata definitions of a cloud allow."""

from __future__ import annotations

from glance_compat.definitions.enforcement import PropertyRules
from glance_compat.definitions.properties import Definitions
from glance_compat.methods.shared import ServiceMethods
from glance_compat.routing.context import context_first


class DefinitionMethods(ServiceMethods):
    """Property definitions."""

    _rules: PropertyRules

    @context_first
    def property_definitions(self, context: object) -> Definitions:
        """Return the metadata definitions of image properties that are in force for the caller.

        They are read from the file that the option ``definitions_file`` names, or else from the
        cloud, and cached for an hour.

        :param context: the caller's request context, or None for the service's own credentials.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``property-definitions``.
        :raises glance_compat.exceptions.InvalidOption: the file cannot be read, or has no
            definitions.
        """
        return self._rules.get_definitions(self._dispatcher.read_identity(context))
