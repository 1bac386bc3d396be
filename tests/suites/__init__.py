# SPDX-License-Identifier: Apache-2.0
"""Functional test suites of other projects, run against the embedded Glance.

``python -m tests.suites`` runs them and compares each test with the stored results of a real
Glance of the same release.
"""
