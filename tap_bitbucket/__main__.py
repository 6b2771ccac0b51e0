"""``python -m tap_bitbucket``."""

from tap_bitbucket.cli import main

main()
