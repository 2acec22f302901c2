"""Where real pictures and weights are: --data FOLDER, or the environment variable that the tests use too."""

import os
from pathlib import Path


def add_data(parser):
    """The option itself; it must be given where SCRATCHNET_DATA is not set."""
    known = os.environ.get("SCRATCHNET_DATA")
    parser.add_argument("--data", type=Path, default=known, required=known is None, metavar="FOLDER",
                        help="where pictures/, weights/, faces/ are (default: the environment variable SCRATCHNET_DATA)")
