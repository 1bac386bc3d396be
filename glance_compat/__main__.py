# SPDX-License-Identifier: Apache-2.0
"""Run ``glance-compat`` as ``python -m glance_compat``."""

import sys

from glance_compat.cli import main

if __name__ == "__main__":
    sys.exit(main())
