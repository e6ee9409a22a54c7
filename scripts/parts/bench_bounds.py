"""The bounds that opsurge holds over TLS, beside what scripts/bench.sh measured. Standard library only."""
import statistics

OPSURGE, PLAIN, BARE = "opsurge", "opsurge-plain", "bare-rustls"


def spread(values, digits):
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def cpu_us(row):
    return 1e6 * row["cpu_s"] / row["requests"]


def a_second(row):
    return row["requests"] / row["seconds"]


def a_cpu_second(row):
    return row["requests"] / row["cpu_s"]


def ratio(of):
    return lambda mine, base: of(mine) / of(base)


# Mode: what is compared, with whom, how, in which direction, the bound.
BOUNDS = {
    "tls": [
        ("CPU per request above plain text, us", PLAIN, lambda mine, base: cpu_us(mine) - cpu_us(base), "at most", 1.0),
        ("CPU per request to the bare rustls loop's", BARE, ratio(cpu_us), "at most", 1.10),
        ("requests/s to wrk's", "wrk", ratio(a_second), "at least", 1.4),
    ],
    "tls-bodies": [("bytes per CPU second to wrk's", "wrk", ratio(a_cpu_second), "at least", 1.0)],
    "tls-handshakes": [("full handshakes per CPU second to oha's", "oha", ratio(a_cpu_second), "at least", 1.0)],
}


def bounds(rows, mode):
    """A table of a mode's bounds, each measured within every round; none for a mode without bounds."""
    of = {(row["client"], row["round"]): row for row in rows}
    rounds = sorted({row["round"] for row in rows})
    for number, (what, base, compare, direction, bound) in enumerate(BOUNDS.get(mode, [])):
        if number == 0:
            yield "\n| opsurge | bound | measured | held |"
            yield "|---|---|---|---|"
        pairs = [(of.get((OPSURGE, round)), of.get((base, round))) for round in rounds]
        values = [compare(mine, other) for mine, other in pairs if mine and other]
        if not values:
            yield f"| {what} | {direction} {bound} | – | not measured |"
            continue
        middle = statistics.median(values)
        held = middle <= bound if direction == "at most" else middle >= bound
        yield f"| {what} | {direction} {bound} | {spread(values, 2)} | {'yes' if held else '**no**'} |"
