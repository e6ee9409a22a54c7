#!/usr/bin/env bash
# Whether disturbed seconds are marked, and no others: a taken core, a used-up quota, a slow server, a short pool
#   scripts/measure verdicts      about 1 minute, on a machine that nothing else uses
# The generator runs on core 0, the stand-in on the last core. From second 3 to 6 of 9, spinners run on core 0, or a
# control group (version 1 or 2, made as root) allows a tenth of a core. The marked seconds have to be those, give or take
# the seconds at their edges. A quiet run comes first: where its seconds are marked already, the machine is not quiet.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
use_release
python3 scripts/parts/verdicts.py "$opsurge" "$work"
