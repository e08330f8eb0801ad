"""The command line of a checkout: `vosjax.cli` does what there is to do.

python launch.py --config configs/CONFIG.py [--mode MODE] [--config.NAME=VALUE ...] [FLAGS]
"""

import sys

from vosjax.cli import launch

if __name__ == "__main__":
    sys.exit(launch(sys.argv))
