"""What is installed is pinned by hash, and what it is made of can be told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("runtime", "local", "dev")


def pinned(lock: str) -> dict[str, list[str]]:
    """Every package of a lock, as name==version, with the hashes of the files that may be taken."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            found[name].append(line.strip(" \\"))
        else:
            name = line.split()[0]
            found[name] = []
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_version_and_hash(lock: str) -> None:
    """And by nothing that names where it comes from."""
    for name, hashes in pinned(lock).items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[^]]+\])?==[^=]+", name), name
        assert hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), name


def test_the_document_tells_every_package_of_its_lock(tmp_path: Path) -> None:
    """`make sbom` runs the same program over every lock: a purl and hashes for each package."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nsbom:")[2].partition("\n\n")[0]
    assert f"for lock in {' '.join(LOCKS)};" in recipe and "cyclonedx-py requirements" in recipe
    out = tmp_path / "local.cdx.json"
    how = [
        "requirements",
        "--no-validate",
        "--of",
        "JSON",
        "--sv",
        "1.6",
        "--output-reproducible",
        "-o",
        str(out),
    ]
    subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *how, str(ROOT / "requirements" / "local.txt")],
        check=True,
        capture_output=True,
    )
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["bomFormat"] == "CycloneDX"
    listed = {f"{each['name']}=={each['version']}" for each in told["components"]}
    assert listed == set(pinned("local"))
    for each in told["components"]:
        assert each["purl"].startswith("pkg:pypi/")
        assert each["externalReferences"][0]["hashes"]
