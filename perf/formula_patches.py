"""Formulas changed a thousand times in a row while players play, between two runs of the same players without any: what players and the
packet path feel of it, as ratios. Each change makes another version of loot.lua live on all shards. Ends with 0 only when every change
was made, every action answered, and no job lost or answered twice."""
import argparse
import json
import pathlib
import socket
import statistics
import sys
import tempfile
import threading
import time

import server


def arguments():
    parser = argparse.ArgumentParser(prog="perf/formula-patches", description=__doc__)
    parser.add_argument("--patches", type=int, default=1000)
    parser.add_argument("--players", type=int, default=20000)
    parser.add_argument("--rate", type=int, default=60000, help="actions a second")
    parser.add_argument("--no-huge", action="store_true")
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


PATCH_S_MAX = 5  # a change that cannot be made for so long is a failure


class Control:
    """One connection to the control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def ask(self, command, **words):
        self.socket.sendall(json.dumps({"id": 1, "command": command, **words}).encode() + b"\n")
        return json.loads(self.file.readline())


def version_two(control):
    """A second version to change to and fro: the shipped text under another number, through the gate."""
    text = (server.ROOT / "lua/formulas/loot.lua").read_text().replace("version = 1,", "version = 2,")
    reply = control.ask("formula push", kind="loot", text=text)
    assert reply["ok"], reply
    while (status := control.ask("formula status")["result"])["stage"] != "idle":
        time.sleep(0.05)
    assert status["last"]["good"], status["last"]


def patch(control, count):
    """Changes the live version `count` times; milliseconds of each. The spare worker that takes the next is started anew in between."""
    took_ms, version, until = [], 2, time.monotonic() + PATCH_S_MAX
    while len(took_ms) < count:
        reply = control.ask("formula rollback", kind="loot", version=3 - version)
        if reply["ok"]:
            version = 3 - version
            took_ms.append(reply["result"]["took_ms"])
            until = time.monotonic() + PATCH_S_MAX
        else:
            assert reply["error"]["code"] == "failed" and time.monotonic() < until, reply
            time.sleep(0.002)
    return took_ms


def run(options, patches, seconds):
    """Players' figures, the box's own, and how long each change took."""
    with tempfile.TemporaryDirectory(prefix="veltrix-patches-") as name, server.Veltrixd(pathlib.Path(name), options.players, shards=40, huge=not options.no_huge) as veltrixd:
        folder = pathlib.Path(name)
        control = Control(folder / "control.sock")
        version_two(control)
        report = {}
        player = threading.Thread(target=lambda: report.update(server.load(folder, veltrixd.socket, options.players, seconds, "--rate", options.rate, huge=not options.no_huge)))
        player.start()
        time.sleep(1)
        began = time.monotonic()
        took_ms = patch(control, patches)
        passed = time.monotonic() - began
        player.join()
        status = veltrixd.status()
    io = next(lcore["io"] for lcore in status["lcores"] if "io" in lcore)
    return {"load": report, "residence": io["residence_urgent"], "totals": status["totals"], "took_ms": took_ms, "patch_seconds": passed}


def main():
    options = arguments()
    seconds = max(4, options.patches * 0.03)
    runs = [run(options, count, seconds) for count in (0, options.patches, 0)]
    plain, patched = (runs[0], runs[2]), runs[1]
    figures = {"patches": len(patched["took_ms"]), "patches_per_s": options.patches / patched["patch_seconds"], "patch_ms_p50": statistics.median(patched["took_ms"]),
               "patch_ms_max": max(patched["took_ms"])}
    wrong = []
    for name, value in {"players_us_p99": lambda r: r["load"]["latency_us_p99"], "players_us_max": lambda r: r["load"]["latency_us_max"], "box_us_p99": lambda r: r["residence"]["us_p99"],
                        "box_us_p999": lambda r: r["residence"]["us_p999"]}.items():
        one, two, with_patches = value(plain[0]), value(plain[1]), value(patched)
        figures |= {f"{name}_plain": statistics.mean([one, two]), f"{name}_plain_ratio": max(one, two) / min(one, two), f"{name}_patched": with_patches,
                    f"{name}_ratio": with_patches / statistics.mean([one, two])}
    for what, lost in {"actions_unaccounted": patched["load"]["actions_unaccounted"], "answers_wrong": patched["load"]["answers_wrong"],
                       "jobs_timed_out": patched["totals"]["jobs_timed_out"], "jobs_answered_twice": patched["totals"]["jobs_late"]}.items():
        figures[what] = lost
        if lost != 0:
            wrong.append(f"{what} is {lost}")
    return server.report("formula-patches", figures, wrong, options.json)


if __name__ == "__main__":
    sys.exit(main())
