"""`python -m logpi`."""

import os
import sys

# `python -m` searches the current directory before all others: a file there could replace an installed module, such as
# jax. The command `logpi` does not search it; see `logpi.cli.main` for where it does.
if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
    del sys.path[0]

from logpi.cli.main import main

sys.exit(main())
