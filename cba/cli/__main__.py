"""``python -m cba.cli``: the command line without an installed ``cba`` script."""

import sys

from cba.cli import main

if __name__ == "__main__":
    sys.exit(main())
