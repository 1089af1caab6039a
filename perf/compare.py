"""One run, one machine: veltrixd beside testpmd, beside a kernel-socket server and beside an empty loop.
Every claim is a ratio of two figures of this run. Rounds are interleaved and the median is taken, because
the machine is shared and noisy."""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

from server import CLIENT_CPU, ROOT, SERVER_CPU, Testpmd, Veltrixd, bench_sessions, difference, load

PLAYERS, FEW = 120000, 1200
WINDOW = 1000  # packets outstanding: what a ring of the port holds; more wait at the sender
REFUSED_PLAYERS = 120  # of 120,000: one packet in a thousand is accepted


def arguments():
    parser = argparse.ArgumentParser(prog="perf/compare", description=__doc__)
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def measure(server, players, seconds, *more):
    """A run of veltrix-load and what it cost the server."""
    load(server.folder, server.socket, players, 0.5, "--mode", "bounce", "--window", WINDOW)
    before = server.status()
    report = load(server.folder, server.socket, players, seconds, *more)
    return report, difference(before, server.status())


def bounce_round(folder, seconds, found):
    with Testpmd(folder) as reference:
        found["testpmd_packets_per_s"].append(load(folder, reference.socket, PLAYERS, seconds, "--mode", "bounce", "--window", WINDOW)["packets_per_s"])
    costs = {}
    for players in (PLAYERS, FEW):
        with Veltrixd(folder, PLAYERS) as server:
            report, cost = measure(server, players, seconds, "--mode", "bounce", "--window", WINDOW)
            costs[players] = cost["busy_cycles"] / cost["actions_queued"]
            if players == PLAYERS:
                found["bounce_packets_per_s"].append(report["packets_per_s"])
                found["bounce_actions_per_s"].append(report["actions_per_s"])
                found["cycles_per_packet"].append(cost["busy_cycles"] / cost["packets_in"])
    found["cycles_per_action"].append(costs[PLAYERS])
    found["cycles_per_action_1200"].append(costs[FEW])
    found["flatness"].append(costs[PLAYERS] / costs[FEW])


def refused_round(folder, seconds, found):
    """The same frames, once for players that exist and once (but for 0.1 %) for players that do not."""
    cycles = {}
    for players in (PLAYERS, REFUSED_PLAYERS):
        with Veltrixd(folder, players) as server:
            before = server.status()
            load(folder, server.socket, PLAYERS, seconds, "--mode", "bounce", "--window", 1 << 20)
            after = server.status()
            cost = difference(before, after)
            found[f"resident_bytes_{players}"].append(after["resident_bytes"])
            cycles[players] = cost["busy_cycles"] / cost["packets_in"]
    found["cycles_per_accepted"].append(cycles[PLAYERS])
    found["cycles_per_refused"].append(cycles[REFUSED_PLAYERS])
    found["refused_over_accepted"].append(cycles[REFUSED_PLAYERS] / cycles[PLAYERS])


def residence_round(folder, seconds, found):
    rate = 0.7 * statistics.median(found["bounce_packets_per_s"])
    with Veltrixd(folder, PLAYERS) as server:
        report = load(folder, server.socket, PLAYERS, seconds, "--mode", "bounce", "--pace", rate)
        lcore = next(lcore for lcore in server.status()["lcores"] if "io" in lcore)
    found["residence_load"].append(report["packets_per_s"] / statistics.median(found["bounce_packets_per_s"]))
    for key in ("us_p50", "us_p99", "us_p999", "us_max"):
        found["residence_" + key].append(lcore["io"]["residence_urgent"][key])
        found["gap_" + key].append(lcore["gaps"][key])
    twin = subprocess.run([ROOT / "build/perf/micro/vx_twin_loop", "--cpu", str(SERVER_CPU), "--seconds", str(seconds)], capture_output=True, text=True, check=True)
    for key, value in json.loads(twin.stdout).items():
        found["twin_" + key].append(value)


def games_round(folder, seconds, found):
    with Veltrixd(folder, PLAYERS) as server:
        before = server.status()
        load(folder, server.socket, PLAYERS, max(seconds, 10), "--rate", 400000)
        now = server.status()
    cost = difference(before, now)
    found["games_cycles_per_packet"].append(cost["busy_cycles"] / cost["packets_in"])
    found["games_cycles_per_action"].append(cost["busy_cycles"] / cost["actions_queued"])
    found["games_packets_per_s"].append(now["cycles_per_s"] / (cost["busy_cycles"] / cost["packets_in"]))
    found["actions_per_packet"].append(cost["actions_in"] / (cost["packets_in"] + cost["packets_out"]))
    for kind in ("battle", "loot", "pairing"):
        found[f"formula_{kind}_ns_per_job"].append(now["formulas"][kind]["ns_per_job"])


def sockets_round(seconds, found):
    """On loopback; the server's own CPU time counts, so that waiting for the client costs it nothing."""
    server = subprocess.Popen([ROOT / "build/perf/sockets/vx_sockets_server", "--port", "40001", "--bind", "127.0.0.1", "--players", str(PLAYERS), "--shards", "40",
                               "--cpu", str(SERVER_CPU)], stdout=subprocess.PIPE, text=True)
    client = subprocess.run([ROOT / "build/perf/sockets/vx_sockets_client", "--server", "127.0.0.1", "--port", "40001", "--players", str(PLAYERS), "--seconds", str(seconds),
                             "--cpu", str(CLIENT_CPU)], capture_output=True, text=True, check=True)
    server.terminate()
    report = json.loads(server.communicate(timeout=10)[0])
    found["sockets_actions_per_cpu_s"].append(report["actions"] / report["cpu_seconds"])
    found["sockets_lost"].append(json.loads(client.stdout)["lost"])


def netcode_round(seconds, found):
    """One core's passes over sealed sessions, beside the same library's open and seal alone."""
    report = bench_sessions(PLAYERS, int(60000 * seconds), 5)
    for key in ("netcode_over_seal", "handshakes_per_second", "keep_alive_cycles"):
        found[key].append(report[key])
    found["netcode_bytes_per_session"].append(report["bytes_per_session"])


def figures_of(found):
    middle = {key: statistics.median(values) for key, values in found.items()}
    return {
        "bounce_over_testpmd": middle["bounce_packets_per_s"] / middle["testpmd_packets_per_s"],
        "games_over_testpmd": middle["games_packets_per_s"] / middle["testpmd_packets_per_s"],
        "bounce_over_sockets_per_core": middle["bounce_actions_per_s"] / middle["sockets_actions_per_cpu_s"],
        "flatness_120000_over_1200": middle["flatness"],
        "residence_us_p50": middle["residence_us_p50"], "residence_us_p99": middle["residence_us_p99"],
        "residence_us_p999": middle["residence_us_p999"],
        "pause_p999_over_twin": middle["gap_us_p999"] / middle["twin_gap_us_p999"],
        "bytes_per_player": (middle[f"resident_bytes_{PLAYERS}"] - middle[f"resident_bytes_{REFUSED_PLAYERS}"]) / (PLAYERS - REFUSED_PLAYERS),
        **middle,
    }


def main():
    options = arguments()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="veltrix-compare-"))
    found = {}
    for number in range(options.rounds):
        rounds = [lambda f: bounce_round(folder, options.seconds, f), lambda f: refused_round(folder, options.seconds / 2, f),
                  lambda f: residence_round(folder, options.seconds, f), lambda f: sockets_round(options.seconds, f)]
        if number == 0:
            rounds += [lambda f: games_round(folder, options.seconds, f), lambda f: netcode_round(options.seconds, f)]
        collector = Found(found)
        for run in rounds:
            run(collector)
        print(f"compare: round {number + 1} of {options.rounds} done", flush=True)
    figures = {key: float(f"{value:.4g}") if value < 1000 else round(value) for key, value in figures_of(found).items()}
    for key, value in figures.items():
        print(f"{key:32} {value:>16,}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


class Found:
    """Lists by name that come into being when first appended to."""

    def __init__(self, lists):
        self.lists = lists

    def __getitem__(self, name):
        return self.lists.setdefault(name, [])


if __name__ == "__main__":
    main()
