"""What netcode sessions cost and bear, on this machine in one run. One core's passes without a device: round trips beside open and seal
alone, handshakes, keep-alives; a million sessions. And against a veltrixd while players play whole games: a connect storm, and a flood at
ten times the players' own packet rate. Ends with 0 only when everybody connected, nobody was disconnected, every action was answered,
and addresses that had proved nothing were sent no more than came from them."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import server

PROTOCOL = "0x5658"
RESIDENT_MB_MAX = 256  # of veltrixd, with 120,000 players
OVER_SEAL_MIN, HANDSHAKES_MIN, SESSION_BYTES_MAX = 0.6, 20000, 256
P99_RATIO_MAX = 2.0  # flooded over quiet, seconds of both in turn
COUNTERS = ("netcode_token_forged", "netcode_forged", "netcode_replayed")  # the flood's three kinds, as veltrixd names them


def arguments():
    parser = argparse.ArgumentParser(prog="perf/netcode", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=", ".join(PARTS) + " (all)")
    parser.add_argument("--short", action="store_true", help="a few thousand players for a few seconds; what depends on the machine's speed is shown, not judged")
    parser.add_argument("--no-huge", action="store_true")
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


class Run:
    """One veltrixd, one veltrix-load, both sides' figures."""

    def __init__(self, options, players, *words):
        with tempfile.TemporaryDirectory(prefix="veltrix-netcode-") as folder:
            self.play(options, players, pathlib.Path(folder), words)
        io = [lcore["io"] for lcore in self.status["lcores"] if "io" in lcore]
        self.sessions = {name: sum(lcore["sessions"][name] for lcore in io) for name in io[0]["sessions"]}
        self.packets = {name: sum(lcore["packets"][name] for lcore in io) for name in io[0]["packets"]}

    def play(self, options, players, folder, words):
        key = folder / "private.key"
        subprocess.run([server.APP / "veltrixctl" / "veltrixctl", "token", "keygen", key], check=True, stdout=subprocess.DEVNULL)
        transport = f'kind = "netcode", private_keys = {{ "{key}" }}, protocol_id = "{PROTOCOL}", '
        huge = not options.no_huge
        with server.Veltrixd(folder, players, shards=40 if not options.short else 4, huge=huge, transport=transport) as veltrixd:
            self.load = server.load(folder, veltrixd.socket, players, *words, "--transport", "netcode", "--key", key, "--protocol", PROTOCOL, huge=huge)
            self.status = veltrixd.status()

    def findings(self, players):
        """What has to hold whatever the machine."""
        load, found = self.load, []
        for name, wanted in {"sessions_connected": players, "sessions_denied": 0, "sessions_failed": 0, "sessions_lost": 0, "actions_unaccounted": 0, "answers_wrong": 0,
                             "chests_doubled": 0}.items():
            if load[name] != wanted:
                found.append(f"{name} is {load[name]}, not {wanted}")
        if load["unproved_bytes_received"] > load["unproved_bytes_sent"] or self.sessions["unproved_bytes_out"] > self.sessions["unproved_bytes_in"]:
            found.append("more was sent to addresses that had proved nothing than came from them")
        if load["unproved_bytes_received"] == 0:
            found.append("no challenge was counted at all")
        return found

    def p99_ratio(self):
        return self.load["latency_us_p99_disturbed"] / self.load["latency_us_p99_quiet"]


def bench(options, players, packets, rounds):
    figures = server.bench_sessions(players, packets, rounds, huge=not options.no_huge)
    judged = players >= 100000  # what is there once is shared by few otherwise
    return figures, [f"{figures['bytes_per_session']} bytes a session, at most {SESSION_BYTES_MAX} are allowed"] if judged and figures["bytes_per_session"] > SESSION_BYTES_MAX else []


def passes(options):
    """One core, 120,000 sessions, no device."""
    figures, found = bench(options, *((12000, 24000, 1) if options.short else (120000, 240000, 9)))
    if not options.short and figures["netcode_over_seal"] < OVER_SEAL_MIN:
        found.append(f"netcode_over_seal is {figures['netcode_over_seal']}, at least {OVER_SEAL_MIN} is wanted")
    if not options.short and figures["handshakes_per_second"] < HANDSHAKES_MIN:
        found.append(f"{figures['handshakes_per_second']} handshakes a second, at least {HANDSHAKES_MIN} are wanted")
    return figures, found, None


def capacity(options):
    """As many sessions as there can be: all connect, all are heard, all leave."""
    figures, found = bench(options, 100000 if options.short else 1000000, 32000, 1)
    return {"capacity_sessions": figures["players"], "capacity_handshakes_per_s": figures["handshakes_per_second"],
            "capacity_bytes_per_session": figures["bytes_per_session"]}, found, None


def storm(options):
    """Everybody at once, ten requests a second each, while a few play."""
    base, many, seconds, rate = (500, 6000, 3, 5000) if options.short else (2000, 120000, 15, 20000)
    run = Run(options, base + many, seconds, "--rate", rate, "--storm", many)
    found = run.findings(base + many)
    if not 0 < run.load["storm_seconds"] < 45:
        found.append(f"the storm was not connected within the tokens' 45 s ({run.load['storm_seconds']} s)")
    if run.status["resident_bytes"] > RESIDENT_MB_MAX * 10**6:
        found.append(f"veltrixd took {run.status['resident_bytes'] / 10**6:.0f} MB, at most {RESIDENT_MB_MAX} are allowed")
    figures = {"storm_sessions": many, "storm_seconds": run.load["storm_seconds"], "storm_connects_per_s": many / max(run.load["storm_seconds"], 1e-3),
               "storm_requests": run.load["requests_sent"], "storm_connect_ms_p50": run.load["connect_ms_p50"], "storm_connect_ms_p99": run.load["connect_ms_p99"],
               "storm_p99_us_quiet": run.load["latency_us_p99_quiet"], "storm_p99_us": run.load["latency_us_p99_disturbed"],
               "storm_resident_bytes": run.status["resident_bytes"]}
    return figures, found, run


def flood(options):
    """Every other second, ten packets of a flood for each packet of the players."""
    players, seconds, rate = (500, 4, 3000) if options.short else (2000, 20, 20000)
    run = Run(options, players, seconds, "--rate", rate, "--flood", 10)
    found = run.findings(players)
    ratio = run.load["packets_flood"] / run.load["packets_disturbed"]
    figures = {"flood_over_players_packets": ratio, "flood_packets": run.load["packets_flood"], "flood_p99_us_quiet": run.load["latency_us_p99_quiet"],
               "flood_p99_us": run.load["latency_us_p99_disturbed"], "flood_p99_ratio": run.p99_ratio(), "flood_lost_sessions": run.load["sessions_lost"],
               "unproved_bytes_in": run.sessions["unproved_bytes_in"], "unproved_bytes_out": run.sessions["unproved_bytes_out"],
               **{"flood_" + name: run.packets[name] for name in COUNTERS}}
    if ratio < 9 and not options.short:
        found.append(f"the flood was {ratio:.1f} times the players' packets, not ten")
    for name in COUNTERS:
        if run.packets[name] == 0:
            found.append(f"{name} was never counted")
    if run.p99_ratio() > P99_RATIO_MAX and not options.short:
        found.append(f"players' p99 grew to {run.p99_ratio():.2f} times, at most {P99_RATIO_MAX} is allowed")
    return figures, found, run


PARTS = {"passes": passes, "capacity": capacity, "storm": storm, "flood": flood}


def main():
    options = arguments()
    figures, wrong = {}, []
    for name in options.parts or PARTS:
        more, found, run = PARTS[name](options)
        figures.update(more)
        wrong += [f"{name}: {finding}" for finding in found]
        if found and run is not None:
            print(json.dumps({"load": run.load, "sessions": run.sessions, "packets": run.packets}, indent=1), file=sys.stderr)
    return server.report("netcode", figures, wrong, options.json)


if __name__ == "__main__":
    sys.exit(main())
