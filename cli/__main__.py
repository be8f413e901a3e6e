"""The `kindred` command."""


def main() -> None:
    """Runs the command line; the real work is imported when it is asked for."""
    from cli.app import app

    app()


if __name__ == "__main__":
    main()
