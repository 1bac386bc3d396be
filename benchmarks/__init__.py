# SPDX-License-Identifier: Apache-2.0
"""How much the library costs beside its peers: run ``python -m benchmarks --help``.

A canned server answers in a process of its own (``canned_server``, ``bodies``). Each subject is a
client (``subjects``) in a process of its own (``worker``), and does one job at a time (``jobs``).
``rounds`` interleaves the subjects, ``instructions`` counts under valgrind, ``memory`` and
``start`` measure what their names say, ``fixtures`` the embedded Glance. ``ratios`` and ``tables``
turn samples into text and know nothing of clients.

Needs the extra ``bench``. Nothing here is asserted: figures of one machine are no test.
"""
