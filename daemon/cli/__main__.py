"""`python -m daemon.cli`: the same command where the script is not installed."""

import sys

from daemon.cli import main

sys.exit(main())
