"""Writes a peer's requirements.txt, with hashes, from its requirements.in: lock.py FOLDER

The hashes are those of the files that pip chooses on this platform.
"""

import json
import pathlib
import sys
import tempfile

from peer import run

folder = pathlib.Path(sys.argv[1])
with tempfile.TemporaryDirectory() as scratch:
    run(["python3", "-m", "venv", scratch])
    report = run([f"{scratch}/bin/pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-",
                  "--requirement", folder / "requirements.in"])
lines = []
for package in json.loads(report)["install"]:
    digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
    lines.append(f"{package['metadata']['name'].lower()}=={package['metadata']['version']} --hash=sha256:{digest}\n")
(folder / "requirements.txt").write_text("".join(sorted(lines)))
