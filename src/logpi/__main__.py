"""`python -m logpi`."""

import sys

from logpi.cli.main import main

sys.exit(main())
