#!/usr/bin/env bash
# torch 2.13.0: torch.save of the same tensors to files of two names gives different bytes, since the archive's folder inside is
# called after the file. Whoever writes beside a file and renames it, as one does to survive a kill, gets other bytes than who
# writes it directly, and hashes of equal checkpoints differ. Saved through an open file the bytes are the same. Expected: the
# bytes are those of what is saved.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from hashlib import sha256
from pathlib import Path

import torch

state = {"weight": torch.arange(4.0)}
hashes = {}
for name in ("best.pt", "best.pt.part"):
    torch.save(state, name)
    hashes[name] = sha256(Path(name).read_bytes()).hexdigest()[:12]
    with open(name, "wb") as file:
        torch.save(state, file)
    hashes[f"{name}, opened"] = sha256(Path(name).read_bytes()).hexdigest()[:12]
print(hashes)
differ = hashes["best.pt"] != hashes["best.pt.part"]
sys.exit(not (differ and hashes["best.pt, opened"] == hashes["best.pt.part, opened"]))
PYTHON
