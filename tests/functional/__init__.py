# SPDX-License-Identifier: Apache-2.0
"""The tests that need real servers, and the harness that starts them."""
