"""python -m services.matching.simulation SETTINGS-AS-JSON < ROSTER-AS-JSON: prints the figures as JSON."""

import json
import sys

from services.matching.simulation import measuring, plotting
from services.matching.simulation.running import Simulation
from services.matching.simulation.stories import Wanted


def main() -> int:
    """Runs once; the exit code is 1 where a hard rule was broken."""
    wanted = Wanted(**json.loads(sys.argv[1]))
    simulation = Simulation(wanted, json.load(sys.stdin))
    simulation.run()
    found = measuring.figures(simulation)
    if wanted.plots:
        found["plots"] = plotting.write(simulation, wanted.plots)
    sys.stdout.write(json.dumps(found, default=str) + "\n")
    return 1 if simulation.checker.broken else 0


if __name__ == "__main__":
    sys.exit(main())
