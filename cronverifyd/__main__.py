"""`python -m cronverifyd`."""

from cronverifyd.cli.main import main

main()
