#!/usr/bin/env bash
# Set up everything that the project needs under its own folder: .venv, build, install.
# Safe to run again; the second run takes a moment. Needs Python >= 3.10 (PYTHON names another).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python="${PYTHON:-python3}"
if ! command -v "$python" >/dev/null 2>&1; then
  echo "setup: no '$python' on this machine; expected Python 3.10 or newer." >&2
  echo "       Install it (Debian, Ubuntu: apt install python3 python3-venv python3-dev) or set PYTHON." >&2
  exit 1
fi
exec "$python" -u scripts/setup_environment.py "$@"
