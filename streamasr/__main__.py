"""``python -m streamasr`` and the ``streamasr`` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line; leaves by SystemExit with 0, 1 or 2."""
    from streamasr.app.cli import run

    run()


if __name__ == "__main__":
    main()
