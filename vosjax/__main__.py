"""`python -m vosjax`, the command line."""

import sys

from vosjax.cli import main

sys.exit(main())
