# SPDX-License-Identifier: Apache-2.0
"""The contract of the facade, tested on every type of server."""
