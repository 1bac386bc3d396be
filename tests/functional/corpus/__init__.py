# SPDX-License-Identifier: Apache-2.0
"""Images as clouds really hold them, made by several clients on Glance 15.0.2."""
