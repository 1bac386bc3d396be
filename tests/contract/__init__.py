# SPDX-License-Identifier: Apache-2.0
"""What the facade promises, written once and run against every kind of server."""
