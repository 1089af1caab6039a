"""RFC 2544's throughput and latency of one core's veltrixd over memif, veltrix-load as the source. For each frame size (actions of a packet)
the highest rate at which every packet is answered and nothing is shed, by halving the gap between a rate that held and one that did not
(section 26.1); the same for testpmd's 5tswap as the reference; and at shares of the throughput the time that packets spend in the box
(26.2, as the io lcore stamps them, because the generator's own waits would be most of what it sees). Ends with 0 only when every search
has found a rate, and no packet was lost at it when it was tried once more."""
import argparse
import pathlib
import sys
import tempfile

import server

ACTIONS, SHARES = (1, 2, 4, 8, 16), (10, 30, 50, 70, 80, 90, 95, 100)
LATENCY_ACTIONS = 2
SOURCE_MIN = 0.97  # of the wanted rate: below, it was the source that could not, or a queue that pushed back
WINDOW = 1 << 20   # packets outstanding: no limit
TRIES = 3          # a host that takes the core away loses packets that we did not


def arguments():
    parser = argparse.ArgumentParser(prog="perf/rfc2544", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="of each trial")
    parser.add_argument("--steps", type=int, default=6, help="trials of each search")
    parser.add_argument("--players", type=int, default=120000)
    parser.add_argument("--sizes", type=lambda text: [int(word) for word in text.split(",")], default=list(ACTIONS), help="actions of a packet, with commas between")
    parser.add_argument("--no-huge", action="store_true")
    parser.add_argument("--no-testpmd", action="store_true", help="without the reference")
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


def frame_bytes(actions):
    return 42 + 16 + 16 * actions


class Trials:
    """Trials against one server at one frame size."""

    def __init__(self, options, target, actions):
        self.options, self.target, self.actions = options, target, actions
        self.is_ours = isinstance(target, server.Veltrixd)

    def load(self, seconds, *more):
        return server.load(self.target.folder if self.is_ours else self.target.socket.parent, self.target.socket, self.options.players, seconds, "--mode", "bounce", "--actions",
                           self.actions, *more, huge=not self.options.no_huge)

    def shed(self):
        return sum(sum(lcore["io"]["actions_shed"]) + lcore["io"]["tx_full"] for lcore in self.target.status()["lcores"] if "io" in lcore) if self.is_ours else 0

    def holds(self, rate):
        before = self.shed()
        report = self.load(self.options.seconds, "--pace", rate, "--window", WINDOW)
        sent_per_s = report["packets_sent"] / report["seconds"]
        return report["packets_lost"] == 0 and self.shed() == before and sent_per_s >= SOURCE_MIN * rate

    def search(self):
        """The highest rate that held, packets a second; 0 when none did."""
        low, high = 0, 1.2 * self.load(self.options.seconds, "--window", 1000)["packets_per_s"]
        for _ in range(self.options.steps):
            middle = (low + high) / 2
            held = any(self.holds(middle) for _ in range(TRIES))
            low, high = (middle, high) if held else (low, middle)
        return low


def throughput(options, folder, actions, figures, wrong):
    with server.Veltrixd(folder, options.players, huge=not options.no_huge) as target:
        trials = Trials(options, target, actions)
        rate = trials.search()
        if rate == 0:
            wrong.append(f"no rate holds for frames of {frame_bytes(actions)} bytes")
        elif not trials.holds(0.9 * rate):
            wrong.append(f"nine tenths of the rate found for {frame_bytes(actions)} bytes did not hold")
    figures[f"packets_per_s_{frame_bytes(actions)}"] = rate
    figures[f"actions_per_s_{frame_bytes(actions)}"] = rate * actions
    return rate


def latencies(options, folder, rate, figures):
    """A new server for each share, so that its histogram is of that share alone."""
    for share in SHARES:
        with server.Veltrixd(folder, options.players, huge=not options.no_huge) as target:
            Trials(options, target, LATENCY_ACTIONS).load(options.seconds, "--pace", rate * share / 100, "--window", WINDOW)
            spent = next(lcore["io"] for lcore in target.status()["lcores"] if "io" in lcore)["residence_urgent"]
        for key in ("us_p50", "us_p99"):
            figures[f"residence_{key}_at_{share}"] = spent[key]


def plot(figures):
    """A bar a share of the load, p50 as =, from there to p99 as -."""
    most = max(figures[f"residence_us_p99_at_{share}"] for share in SHARES)
    print(f"\nload, residence of {frame_bytes(LATENCY_ACTIONS)}-byte frames: === to p50, --- to p99, {most:.1f} us is the full width")
    for share in SHARES:
        middle, high = (figures[f"residence_us_{name}_at_{share}"] for name in ("p50", "p99"))
        begin, end = round(60 * middle / most), round(60 * high / most)
        print(f"{share:4} % {'=' * begin}{'-' * (end - begin)} {middle:.1f}, {high:.1f}")
    print()


def main():
    options = arguments()
    figures, wrong = {}, []
    with tempfile.TemporaryDirectory(prefix="veltrix-rfc2544-") as name:
        folder = pathlib.Path(name)
        rates = {actions: throughput(options, folder, actions, figures, wrong) for actions in options.sizes}
        if not options.no_testpmd:
            with server.Testpmd(folder, huge=not options.no_huge) as reference:
                figures["testpmd_packets_per_s"] = Trials(options, reference, LATENCY_ACTIONS).search()
            if figures["testpmd_packets_per_s"] > 0 and rates.get(LATENCY_ACTIONS):
                figures["over_testpmd"] = rates[LATENCY_ACTIONS] / figures["testpmd_packets_per_s"]
        if rates.get(LATENCY_ACTIONS):
            latencies(options, folder, rates[LATENCY_ACTIONS], figures)
            plot(figures)
    return server.report("rfc2544", figures, wrong, options.json)


if __name__ == "__main__":
    sys.exit(main())
