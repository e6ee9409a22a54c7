"""Prints the tables of scripts/bench.sh from its rows. Standard library only.

Run: bench_table.py ROWS MODE NOTES      MODE: as bench.sh names it; NOTES: printed below the tables
"""
import json
import statistics
import sys

from bench_bounds import BARE, a_cpu_second, bounds, cpu_us, spread

# Clients whose CPU time the ratios are relative to, if they were measured.
BASES = ("floor", BARE, "wrk")
UNIT = {
    "requests": "connections",
    "bodies": "bytes a body",
    "pipeline": "requests at once on each connection",
    "tls": "connections over TLS",
    "tls-bodies": "bytes a body over TLS",
    "tls-handshakes": "connections at a time, each for one request",
}


def ratios(rows, base):
    """CPU per request divided by the base's in the same round."""
    of_base = {row["round"]: cpu_us(row) for row in base}
    return [cpu_us(row) / of_base[row["round"]] for row in rows if row["round"] in of_base]


def table(rows, mode):
    clients = list(dict.fromkeys(row["client"] for row in rows))
    of = {client: [row for row in rows if row["client"] == client] for client in clients}
    heads = ["client", "requests/s", "CPU per request, us", "user", "system", "peak memory, MiB"]
    heads += ["client busy", "responder busy", "kept waiting by other programs"]
    if mode.endswith("bodies"):
        heads[2:5] = ["CPU per answer, us", "MB/s", "GB per CPU second"]
    bases = [base for base in BASES if base in of]
    heads += [f"CPU to {base}'s" for base in bases]
    if mode.startswith("tls"):
        heads.insert(2, "requests per CPU second")
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for client in clients:
        mine = of[client]

        def column(value, digits):
            return spread([value(row) for row in mine], digits)

        cells = [client, column(lambda r: r["requests"] / r["seconds"], 0), column(cpu_us, 2)]
        if mode.endswith("bodies"):
            cells.append(column(lambda r: r["level"] * r["requests"] / r["seconds"] / 1e6, 0))
            cells.append(column(lambda r: r["level"] * r["requests"] / r["cpu_s"] / 1e9, 2))
        else:
            cells.append(column(lambda r: cpu_us(r) * r["user_share"], 2))
            cells.append(column(lambda r: cpu_us(r) * (1 - r["user_share"]), 2))
        cells.append(column(lambda r: r["rss_mib"], 1))
        for busy in ("cpu_s", "responder_cpu_s"):
            cells.append(f"{statistics.median(100 * r[busy] / r['seconds'] for r in mine):.0f} %")
        waited = [max(r["waited_s"], r["responder_waited_s"]) / r["seconds"] for r in mine]
        cells.append(f"{100 * max(waited):.0f} %")
        for base in bases:
            to_base = ratios(mine, of[base])
            cells.append(spread(to_base, 2) if to_base else "–")
        if mode.startswith("tls"):
            cells.insert(2, column(a_cpu_second, 0))
        yield "| " + " | ".join(cells) + " |"


def main():
    path, mode, notes = sys.argv[1:4]
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    for level, connections in dict.fromkeys((row["level"], row["connections"]) for row in rows):
        more = "" if level == connections else f", {connections:,} connections"
        print(f"\n**{level:,} {UNIT[mode]}{more}**\n")
        here = [row for row in rows if (row["level"], row["connections"]) == (level, connections)]
        print("\n".join([*table(here, mode), *bounds(here, mode)]))
    print(f"\n{notes}")


main()
