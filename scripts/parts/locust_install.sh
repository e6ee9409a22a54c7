# Sourced by the scripts with a real Locust master: sets $python and $locust, from target/locust/venv (PyPI, once).
# Ends the script with a SKIPPED line where Locust cannot be installed.

locust_venv=$PWD/target/locust/venv
if [ ! -x "$locust_venv/bin/locust" ]; then
    mkdir -p "$(dirname "$locust_venv")"
    python3 -m venv "$locust_venv" && "$locust_venv/bin/pip" install --quiet "locust==2.47.*" || {
        rm -rf "$locust_venv"
        echo "SKIPPED: locust cannot be installed (pip install locust); nothing was shown"
        exit 0
    }
fi
python=$locust_venv/bin/python locust=$locust_venv/bin/locust
