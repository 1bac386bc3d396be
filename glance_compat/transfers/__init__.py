# SPDX-License-Identifier: Apache-2.0
"""Uploads and downloads that transfer the whole data of an image, or fail.

What must live here: creation of an image with its data, and cleanup after a failure (``upload``);
downloads (``download``) and their continuation after a lost connection (``resume``); reading data
directly from its location (``locations``, ``rbd``); and verification of signatures
(``signatures``). What must not: selection of endpoints and retries (see ``routing``), hashing and
files (see ``streams``).
"""
