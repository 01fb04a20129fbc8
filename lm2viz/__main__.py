"""``python -m lm2viz`` is the ``lm2`` command, for launchers that start a module."""

import sys

from lm2viz.cli.main import main

sys.exit(main())
