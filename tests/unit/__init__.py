# SPDX-License-Identifier: Apache-2.0
"""One module of tests for each module of the package; no network, no servers."""
