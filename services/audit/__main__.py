"""python -m services.audit {api|worker|relay|atna|signer|witness}: picks the door, nothing else."""

import os
import sys


def main(role: str) -> int:
    """Runs one role until it is told to stop; the exit code is 0 after a clean stop."""
    if role == "worker":
        if os.environ.get("KINDRED_WORKER_HOST", "nameko") == "nameko":
            os.environ["EVENTLET_NO_GREENDNS"] = "yes"
            import eventlet

            eventlet.monkey_patch()  # before anything else is imported: a late patch leaves real locks behind
        from services.audit.worker import run
    elif role == "api":
        from services.audit.api import run
    elif role == "relay":
        from services.audit.bootstrap import run_relay as run
    elif role == "atna":
        from services.audit.atna.door import run
    elif role == "signer":
        from services.audit.keepers.keeper import run_signer as run
    elif role == "witness":
        from services.audit.keepers.keeper import run_witness as run
    else:
        sys.exit("usage: python -m services.audit {api|worker|relay|atna|signer|witness}")
    return run(os.environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
