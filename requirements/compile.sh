#!/usr/bin/env bash
# Makes the hashed requirement files anew from pyproject.toml. Needs uv (`pip install uv`). The files hold no index address.
set -euo pipefail
cd "$(dirname "$0")/.."
for python in 3.11 3.13; do
  common=(--quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header
          --python-version "$python" --python-platform linux)
  uv pip compile "${common[@]}" pyproject.toml -o "requirements/run-$python.txt"
  uv pip compile "${common[@]}" pyproject.toml --group dev \
    --constraint "requirements/run-$python.txt" -o "requirements/dev-$python.txt"
done
