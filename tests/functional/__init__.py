# SPDX-License-Identifier: Apache-2.0
"""Tests that need real servers, and the code that starts these servers."""
