#!/usr/bin/env bash
# Four tasks under a real Slurm on this machine, merged, against one process: the same requests, step by step
#   scripts/measure slurm      about 40 seconds; needs Slurm (apt-get install slurm-wlm munge)
# A controller, a node daemon and munge of its own are started in a temporary folder, for a cluster of this machine alone.
# The same load of 2,003 iterations and one seed: first one process, then `srun --ntasks 4` with the command line of
# docs/scale.md, against one stand-in. The merged record must have the same requests, statuses and failures for each step.
# Then a task dies in the middle of a run (SIGKILL), and the merged verdict must name the part that is missing.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin
for program in munged slurmctld slurmd srun; do
    command -v "$program" >/dev/null || { echo "SKIPPED: $program is not here (apt-get install slurm-wlm munge)"; exit 0; }
done
. scripts/parts/processes.sh
use_release
export opsurge work

# ---------------------------------------------------------------- a cluster of one machine

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
user=$(id -un)
mkdir "$work"/{state,spool}
chmod 755 "$work"
head -c 1024 /dev/urandom >"$work/munge.key"
chmod 400 "$work/munge.key"
name=$(hostname -s)
cat >"$work/slurm.conf" <<CONF
ClusterName=opsurge
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
SlurmUser=$user
SlurmdUser=$user
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
NodeName=$name NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
export SLURM_CONF=$work/slurm.conf
in_background() { # NAME COMMAND...
    local log=$work/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null &
    pids+=("$!")
}
in_background munged munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" \
    --pid-file="$work/munged.pid" --seed-file="$work/munged.seed" --log-file="$work/munged.log"
for _ in $(seq 50); do [ -S "$work/munge.socket" ] && break; sleep 0.1; done
in_background slurmctld slurmctld -D
in_background slurmd slurmd -D -N "$name"
for _ in $(seq 100); do
    state=$(sinfo --noheader --format %T 2>/dev/null || true)
    [ "$state" = idle ] && break
    sleep 0.3
done
[ "$state" = idle ] || { echo "SKIPPED: the node is '$state'"; tail -n 5 "$work"/{munged,slurmctld,slurmd}.log; exit 0; }
sinfo

# ---------------------------------------------------------------- the load

start_server "$work/server" "$opsurge" mock --listen 127.0.0.1:0
load="mixed --headless --quiet -u 40 --iterations 2003 --wait 0 --pause 0 --seed 7 --shards 1 --host $url"
export load
# shellcheck disable=SC2086 # The flags are words.
"$opsurge" run $load --json "$work/whole.json" >"$work/one"
srun --ntasks 4 \
    sh -c '"$opsurge" run $load --part env --start-at +3s --json "$work/part$SLURM_PROCID.json"' </dev/null >"$work/tasks"
"$opsurge" merge "$work"/part?.json -o "$work/merged.json" >"$work/report"
grep "PARTS: 4 parts; all had their load from" "$work/report" || { echo "FAILED: the report does not name its parts"; exit 1; }
python3 scripts/parts/same_requests.py "$work/whole.json" "$work/merged.json" "four tasks"

# A task of a longer run dies without a word: nothing is left of it, and the others go on.
srun --ntasks 4 --kill-on-bad-exit=0 --no-kill \
    sh -c '[ $SLURM_PROCID != 2 ] || exec timeout -s KILL 4 "$opsurge" run mixed --quiet --rate 400 -u 40 -t 6s --seed 7 \
            --host '"$url"' --part env --start-at +2s --json "$work/died$SLURM_PROCID.json"
        exec "$opsurge" run mixed --quiet --rate 400 -u 40 -t 6s --seed 7 --host '"$url"' --part env --start-at +2s \
            --json "$work/died$SLURM_PROCID.json"' </dev/null >"$work/tasks" 2>&1 || true
"$opsurge" merge "$work"/died[013].json -o "$work/three.json" >"$work/missing" || true
grep "part 3 of 4 is missing" "$work/missing" ||
    { echo "FAILED: a part that died is not in the verdict"; cat "$work/missing"; exit 1; }
[ ! -e "$work/died2.json" ] || { echo "FAILED: the part that was killed left a record"; exit 1; }
echo "all as it should be: a killed part is named, the others are whole"
