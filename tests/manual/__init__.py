# SPDX-License-Identifier: Apache-2.0
"""Tests of the built manual.

``tox -e docs`` builds it and runs them. ``GLANCE_COMPAT_MANUAL`` is the folder with its pages.
"""
