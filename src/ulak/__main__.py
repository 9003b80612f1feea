"""`python -m ulak …` is the command line."""

from ulak.edge.cli.main import main

if __name__ == "__main__":
    main()
