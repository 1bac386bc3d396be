# SPDX-License-Identifier: Apache-2.0
"""``python -m glance_compat.cli`` is ``glance-compat``."""

import sys

from glance_compat.cli import main

if __name__ == "__main__":
    sys.exit(main())
