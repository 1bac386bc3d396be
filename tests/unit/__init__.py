# SPDX-License-Identifier: Apache-2.0
"""Unit tests: one module for each module of the package, without network or real servers."""
