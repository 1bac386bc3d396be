# SPDX-License-Identifier: Apache-2.0
"""Copy images from one cloud to another, over v1 and v2 in any combination.

``copy_image`` copies one image. ``plan`` compares the images of two clouds and returns a list of
steps, and ``sync`` carries these out. There is no state file: each copy has a property with the id
of its source, so that the next plan finds it.

What must live here: the copies of images between two services. ``choices`` has what a caller may
choose, ``references`` the properties that name other images, ``wanted`` the metadata that a copy
must have, ``refusals`` the reasons why a target cannot store it, and ``decisions`` the steps; they
are pure. ``sides`` reads the two clouds, ``transfer`` copies the data, ``plans`` and ``run``
contain ``plan`` and ``sync``. What must not: requests of one cloud alone (see ``service``).
"""

from __future__ import annotations

from glance_compat.copying.plans import plan
from glance_compat.copying.run import sync
from glance_compat.copying.single import copy_image
from glance_compat.copying.steps import Report, Step

__all__ = ["Report", "Step", "copy_image", "plan", "sync"]
