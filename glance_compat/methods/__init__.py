# SPDX-License-Identifier: Apache-2.0
"""Methods of :class:`glance_compat.ImageService`, one class for each area.

What must live here: the public methods of an area, and the checks of their arguments. What must
not: the methods for images and their data, and the parts that all methods share (see ``service``);
differences between v1 and v2 (``backends``); and work that takes several calls (``transfers``).
"""
