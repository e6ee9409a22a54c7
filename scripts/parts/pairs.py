"""Counts what `opsurge compare` says of runs that are equal. Called by pairs.sh: BINARY FOLDER PAIRS."""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

MEASURES = ("req/s", "failed %", "mean", "p50", "p95", "p99")
WORDS = {
    "faster": "different",
    "slower": "different",
    "fewer failures": "different",
    "more failures": "different",
    "no difference seen": "equal",
    "not enough data": "not enough data",
}
SET = 5


def words(binary, base, new):
    """What is said of each measure of all requests."""
    command = [binary, "compare", base, new, "--tolerance", "1000%"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "160"})
    if done.returncode not in (0, 4):
        sys.exit(f"compare ended with {done.returncode}: {done.stderr}")
    rows = done.stdout.split("All requests\n", 1)[1].split("\n\n", 1)[0].splitlines()
    said = {}
    for row in rows:
        measure = next(name for name in MEASURES if row.strip().startswith(name))
        said[measure] = next(kind for word, kind in WORDS.items() if word in row)
    return said


def table(title, all_said):
    print(f"\n{title}")
    for measure in MEASURES:
        counts = collections.Counter(said[measure] for said in all_said)
        share = counts["different"] / len(all_said) * 100
        print(f"  {measure:<10} different {counts['different']:>3} of {len(all_said)} ({share:.1f} %), "
              f"equal {counts['equal']}, not enough data {counts['not enough data']}")


def main():
    binary, folder, pairs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    paths = [str(folder / f"{run}.json") for run in range(1, 2 * pairs + 1)]
    missing = [path for path in paths if not Path(path).is_file()]
    if missing:
        sys.exit(f"{len(missing)} runs left no record, the first {missing[0]}: see its .txt")
    records = [json.loads(Path(path).read_text()) for path in paths]
    verdicts = collections.Counter(record["generator"]["verdict"]["status"] for record in records)
    print("verdicts: " + ", ".join(f"{count} {status}" for status, count in verdicts.most_common()))
    for measure, of in (("rate", lambda totals: totals["rps"]), ("p50", lambda totals: totals["all_us"]["p50"]),
                        ("p99", lambda totals: totals["all_us"]["p99"])):
        values = [of(record["totals"]) for record in records]
        mean = sum(values) / len(values)
        deviation = (sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)) ** 0.5
        print(f"spread from run to run of the {measure}: {deviation / mean * 100:.2f} % of the mean")
    table("single runs", [words(binary, *paths[at:at + 2]) for at in range(0, 2 * pairs, 2)])
    # Runs of a pair go to different sides, and the sides take turns, as in compare --run.
    sets = []
    for at in range(0, len(paths) - 2 * SET + 1, 2 * SET):
        ten = paths[at:at + 2 * SET]
        base = [ten[2 * pair + pair % 2] for pair in range(SET)]
        new = [path for path in ten if path not in base]
        sets.append(words(binary, ",".join(base), ",".join(new)))
    if sets:
        table(f"sets of {SET} runs", sets)


main()
