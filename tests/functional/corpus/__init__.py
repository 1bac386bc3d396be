# SPDX-License-Identifier: Apache-2.0
"""Realistic images, created by several clients on Glance 15.0.2."""
