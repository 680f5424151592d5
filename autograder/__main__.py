"""The command autograder, and python -m autograder."""

import sys


def main() -> None:
    """Run the command line, on Linux; elsewhere say what is needed."""
    if sys.platform != "linux":
        sys.exit("autograder needs Linux, whose Landlock and seccomp contain student code: use a Linux container or VM.")
    from autograder.cli import app

    app(prog_name="autograder")


if __name__ == "__main__":
    main()
