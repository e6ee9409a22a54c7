#!/usr/bin/env bash
# The Kubernetes manifests under docs/examples held to the schemas of Kubernetes, without a cluster
#   scripts/measure manifests      seconds; kubernetes-validate (PyPI) is installed into target/kubernetes/venv, once
# --strict refuses fields that no schema knows. The tests hold the command lines in the manifests to this opsurge.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=$PWD/target/kubernetes/venv
if [ ! -x "$venv/bin/kubernetes-validate" ]; then
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "kubernetes-validate==1.*" || {
        rm -rf "$venv"
        echo "SKIPPED: kubernetes-validate cannot be installed (PyPI); nothing was shown"
        exit 0
    }
fi
"$venv/bin/kubernetes-validate" --strict docs/examples/kubernetes/*.yaml
# The check itself: a field that no schema knows must be refused.
broken=$(mktemp --suffix .yaml)
trap 'rm -f "$broken"' EXIT
sed 's/^  completions:/  completion:/' docs/examples/kubernetes/job.yaml >"$broken"
! "$venv/bin/kubernetes-validate" --strict --quiet "$broken" >/dev/null 2>&1 ||
    { echo "FAILED: a misspelt field is not noticed"; exit 1; }
echo "all as it should be: every resource has the fields of its schema"
