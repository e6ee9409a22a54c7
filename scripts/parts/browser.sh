# Sourced by the scripts that look at a page in a browser: sets $browser (Chromium) and $kept, the folder of playwright-core
# that npm fetches once. A script of node's is copied into it, beside its node_modules, where node looks for them.

kept=$PWD/target/page
mkdir -p "$kept"

# Whether there is a browser to drive; says what is missing.
find_browser() {
    browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
    if [ -z "$browser" ]; then
        echo "SKIPPED: no browser looked at the page (apt-get install chromium)"
    elif ! command -v npm >/dev/null; then
        echo "SKIPPED: no browser looked at the page (apt-get install nodejs npm)"
    elif ! { [ -d "$kept/node_modules/playwright-core" ] ||
        npm install --prefix "$kept" --no-audit --no-fund --silent playwright-core@1; }; then
        echo "SKIPPED: no browser looked at the page (npm could not fetch playwright-core)"
    else
        return 0
    fi
    return 1
}
