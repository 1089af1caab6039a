"""Holds the pairs that lib/match makes of generated snapshots against the best that there are, and shows what a
squeezed day of 5v5 looks like.

The optimum is exact: of all sets of admissible pairs with the most pairs the one with the least sum of rating
distances, by Edmonds' blossom algorithm (python3-networkx, max_weight_matching). Both sides have the same
tickets, the same time waited, the same windows. Where lib/match made fewer pairs, the optimum is also computed
for as many pairs as it made (by a price on leaving out), so that nobody looks better by matching less."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

import networkx

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VELTRIX_BUILD", ROOT / "build"))
POPULATIONS = ("normal", "skewed", "leagues", "regions", "choosy")
LEFT_OUT = 1 << 20
RATIO_MAX = 1.10


def run(*arguments):
    out = subprocess.run([BUILD / "perf" / "match" / "vx_match_quality", *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False)
    if out.returncode != 0:
        sys.exit("match-quality: a match broke a rule, or the program did not run")
    return json.loads(out.stdout)


def best(edges, price=LEFT_OUT):
    """(pairs, sum of distances) of the cheapest pairing when every ticket that is left out costs half of `price`."""
    graph = networkx.Graph()
    graph.add_weighted_edges_from((a, b, price - distance) for a, b, distance in edges if distance < price)
    matching = networkx.max_weight_matching(graph)
    return len(matching), sum(price - graph[a][b]["weight"] for a, b in matching)


def best_of(edges, pairs):
    """The same with at most so many pairs: the highest whole price that does not give more."""
    low, high = 0, LEFT_OUT
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if best(edges, middle)[0] <= pairs else (low, middle)
    return best(edges, low)


def snapshots(options):
    rows = []
    for population in POPULATIONS:
        pairs = most = total = least = least_same = 0
        for seed in range(1, options.snapshots + 1):
            snapshot = run("snapshot", population, options.tickets, seed)
            exact_pairs, exact = best(snapshot["edges"])
            own_pairs, own = len(snapshot["pairs"]), sum(pair[2] for pair in snapshot["pairs"])
            same_pairs, same = (exact_pairs, exact) if own_pairs == exact_pairs else best_of(snapshot["edges"], own_pairs)
            pairs, most, total, least = pairs + own_pairs, most + exact_pairs, total + own, least + exact
            least_same += same * own_pairs / same_pairs
        rows.append({"population": population, "pairs": pairs, "pairs_most": most, "spread": total / pairs, "spread_optimum": least / most,
                     "spread_optimum_same_pairs": least_same / pairs, "ratio": (total / pairs) / (least / most), "ratio_same_pairs": total / least_same})
    return rows


def svg(path, title, unit, values):
    """A cumulative distribution: values[i] is the quantile i/50."""
    width, height, left, top = 460, 260, 50, 30
    high = max(values[-1], 1)
    line = " ".join(f"{left + (width - left - 20) * value / high:.1f},{top + (height - top - 40) * (1 - i / 50):.1f}" for i, value in enumerate(values))
    ticks = "".join(f'<text x="{left + (width - left - 20) * i / 4:.0f}" y="{height - 22}" text-anchor="middle">{high * i / 4:.0f}</text>' for i in range(5))
    shares = "".join(f'<text x="{left - 6}" y="{top + (height - top - 40) * (1 - i / 4) + 4:.0f}" text-anchor="end">{i * 25} %</text>' for i in range(5))
    frame = f'<rect x="{left}" y="{top}" width="{width - left - 20}" height="{height - top - 40}" fill="none" stroke="#999"/>'
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">'
                    f'<rect width="100%" height="100%" fill="white"/><text x="{left}" y="18" font-size="13">{title}</text>{frame}{ticks}{shares}'
                    f'<text x="{width - 20}" y="{height - 6}" text-anchor="end">{unit}</text><polyline fill="none" stroke="#06c" stroke-width="2" points="{line}"/></svg>\n')


def show(rows, day):
    print(f"{'population':<11}{'pairs':>7}{'most':>7}{'mean spread':>13}{'optimum':>9}{'ratio':>7}{'ratio, as many pairs':>22}")
    for row in rows:
        print(f"{row['population']:<11}{row['pairs']:>7}{row['pairs_most']:>7}{row['spread']:>13.2f}{row['spread_optimum']:>9.2f}{row['ratio']:>7.3f}{row['ratio_same_pairs']:>22.3f}")
    print(f"\n5v5 with roles, parties and regions: {day['matches']} matches of {day['players']} players, {day['expired']} tickets told that their time is over, {day['broken']} rules broken")
    for name in ("wait_ms", "spread", "means", "favourite_permille", "latency_ms"):
        print(f"  {name:<20}" + "".join(f"{quantile} {day[name][quantile]:<8}" for quantile in ("p10", "p50", "p90", "p99", "max")))
    print("  from rating  tickets  mean wait ms  expected score")
    for low, count, wait, score in day["bands"]:
        if count:
            print(f"  {low:>11}{count:>9}{wait:>14.0f}{score:>16.3f}")
    print("  party size   tickets  mean wait ms  expected score")
    for size, count, wait, score in day["sizes"]:
        if count:
            print(f"  {size:>11}{count:>9}{wait:>14.0f}{score:>16.3f}")


def main():
    parser = argparse.ArgumentParser(prog="perf/match-quality", description=__doc__)
    parser.add_argument("--tickets", type=int, default=200, help="in each snapshot")
    parser.add_argument("--snapshots", type=int, default=5, help="of each population")
    parser.add_argument("--seconds", type=int, default=1200, help="of the squeezed day")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument("--plots", help="write the distributions as SVG into this folder")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    rows, day = snapshots(options), run("replay", options.seconds, 1)
    show(rows, day)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"snapshots": rows, "day": day}, indent=1) + "\n")
    if options.plots:
        folder = pathlib.Path(options.plots)
        folder.mkdir(parents=True, exist_ok=True)
        for name, title, unit in (("wait_ms", "Wait of a ticket", "ms"), ("spread", "Highest less lowest rating of a match", "points"), ("means", "Between the teams' means", "points"),
                                  ("favourite_permille", "Expected score of the favourite", "permille"), ("latency_ms", "Latency to the match's region", "ms")):
            svg(folder / f"match-{name.replace('_', '-')}.svg", title, unit, day[name]["cdf"])
    missed = [f"{row['population']}: mean spread {row['ratio_same_pairs']:.3f} of the optimum's, wanted {RATIO_MAX:.2f}" for row in rows if row["ratio_same_pairs"] > RATIO_MAX]
    missed += [f"5v5: {day['broken']} rules broken, wanted none"] if day["broken"] else []
    print("\n" + ("missed: " + "; ".join(missed) if missed else f"no target missed: mean spread within {RATIO_MAX:.2f} of the optimum's in {len(rows)} populations, no rule broken"))
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
