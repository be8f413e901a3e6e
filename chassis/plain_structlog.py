"""structlog without the colors it takes from rich where that is installed: they are a fifth of a process's start.

The command line brings rich along; a service's logs are JSON and never need it.
"""

import sys

if "rich" in sys.modules:
    import structlog
else:
    sys.modules["rich"] = None  # type: ignore[assignment]  # importing it fails now, as where it is not installed
    try:
        import structlog
    finally:
        del sys.modules["rich"]

__all__ = ["structlog"]
