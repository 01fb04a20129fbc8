"""``python -m lm2core`` is the ``lm2`` command, for launchers that start a module."""

import sys

from lm2core.cli.main import main

sys.exit(main())
