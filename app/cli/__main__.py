"""`python -m app.cli`, which is what `pillarbox up` starts its processes with."""

import sys

from app.cli.command import main

sys.exit(main())
