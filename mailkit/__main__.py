"""``python -m mailkit`` is the command ``mailkit``."""

from mailkit.cli import main

if __name__ == "__main__":
    main()
