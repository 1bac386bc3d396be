# SPDX-License-Identifier: Apache-2.0
"""The same raw requests to real servers and to the embedded one, and what may differ."""
