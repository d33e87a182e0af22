"""`python -m fercli` is `fer`."""

from fercli.cli.app import main

if __name__ == "__main__":
    main()
