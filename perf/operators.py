"""An appliance that is watched as hard as can be while players play, between two quiet runs of the same players: 10,000 control requests a
second from 50 clients, `veltrixctl top`, `veltrixctl trace`, and a Prometheus scrape each second. What players and the packet path
feel of it, as ratios. Ends with 0 only when every request was answered well and every action is accounted for."""
import argparse
import json
import multiprocessing
import os
import pathlib
import pty
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import server

CLIENTS, TICK_S = 50, 0.01
REQUESTS = [{"command": "tune", "key": "shards.hunt_ms"}, {"command": "rates", "last": 1}, {"command": "lcores"}, {"command": "tune", "key": "transport.window_us"}]


def arguments():
    parser = argparse.ArgumentParser(prog="perf/operators", description=__doc__)
    parser.add_argument("--players", type=int, default=20000)
    parser.add_argument("--rate", type=int, default=40000, help="actions a second")
    parser.add_argument("--requests", type=int, default=10000, help="control requests a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--no-huge", action="store_true")
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


def port_free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def aside():
    """Watchers share the clients' core: the polling core is veltrixd's alone."""
    os.sched_setaffinity(0, {server.CLIENT_CPU})


class Asker:
    """One of the clients: at most `behind` requests unanswered."""

    def __init__(self, path, behind):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.behind, self.sent, self.answered, self.wrong, self.rest = behind, 0, 0, 0, b""

    def send(self, count):
        count = min(count, self.behind - (self.sent - self.answered))
        lines = b"".join(json.dumps({"id": i, **REQUESTS[i % len(REQUESTS)]}).encode() + b"\n" for i in range(self.sent, self.sent + count))
        self.socket.sendall(lines)
        self.sent += count

    def receive(self):
        *lines, self.rest = (self.rest + self.socket.recv(1 << 16)).split(b"\n")
        self.answered += len(lines)
        self.wrong += sum(b'"ok":true' not in line.replace(b" ", b"") for line in lines)


def ask_all(path, per_s, seconds, results):
    """A process of its own: all clients; puts (answered, wrong, unanswered) into results."""
    aside()
    askers, selector = [Asker(path, 40) for _ in range(CLIENTS)], selectors.DefaultSelector()
    for asker in askers:
        selector.register(asker.socket, selectors.EVENT_READ, asker)
    began, asked = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds or (any(asker.sent > asker.answered for asker in askers) and passed < seconds + 5):
        due = int(min(passed, seconds) * per_s) - asked
        for i in range(CLIENTS):
            share = due // CLIENTS + (i < due % CLIENTS)
            if share > 0:
                askers[i].send(share)
        asked += max(due, 0)
        until = time.monotonic() + TICK_S
        while (left := until - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                key.data.receive()
    results.put((sum(a.answered for a in askers), sum(a.wrong for a in askers), sum(a.sent - a.answered for a in askers)))


class Watching:
    """top, trace and a scrape each second; a context manager."""

    def __init__(self, control, metrics_port):
        self.control, self.url, self.stopped = control, f"http://127.0.0.1:{metrics_port}/metrics", threading.Event()
        self.scrapes_ms, self.trace_lines, self.top_bytes = [], 0, 0

    def __enter__(self):
        ctl = [server.APP / "veltrixctl" / "veltrixctl", "--socket", self.control]
        self.terminal, inner = pty.openpty()
        self.top = subprocess.Popen([*ctl, "top"], stdin=inner, stdout=inner, stderr=inner, env={**os.environ, "TERM": "xterm", "LINES": "24", "COLUMNS": "80"})
        self.trace = subprocess.Popen([*ctl, "trace"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.close(inner)
        self.threads = [threading.Thread(target=run, daemon=True) for run in (self.read_top, self.read_trace, self.scrape)]
        for thread in self.threads:
            thread.start()
        return self

    def read_top(self):
        try:
            while chunk := os.read(self.terminal, 1 << 16):
                self.top_bytes += len(chunk)
        except OSError:  # the terminal's other end is closed
            pass

    def read_trace(self):
        for _ in self.trace.stdout:
            self.trace_lines += 1

    def scrape(self):
        while not self.stopped.wait(1):
            began = time.monotonic()
            with urllib.request.urlopen(self.url, timeout=10) as answer:
                assert b"veltrix_players" in answer.read()
            self.scrapes_ms.append((time.monotonic() - began) * 1000)

    def __exit__(self, *_):
        self.stopped.set()
        for process in (self.top, self.trace):
            process.terminate()
            process.wait(timeout=10)
        for thread in self.threads:
            thread.join(timeout=10)
        os.close(self.terminal)


def watch(options, control, metrics_port):
    started_anew = multiprocessing.get_context("spawn")  # a fork among threads may inherit a lock that nobody opens
    results = started_anew.Queue()
    with Watching(control, metrics_port) as watching:
        asking = started_anew.Process(target=ask_all, args=(control, options.requests, options.seconds, results), daemon=True)
        asking.start()
        answered, wrong, unanswered = results.get(timeout=options.seconds + 60)
        asking.join()
    return {"requests_per_s": answered / options.seconds, "requests_wrong": wrong, "requests_unanswered": unanswered, "scrapes": len(watching.scrapes_ms),
            "scrape_ms_max": max(watching.scrapes_ms, default=0), "trace_lines_per_s": watching.trace_lines / options.seconds, "top_bytes_per_s": watching.top_bytes / options.seconds}


def run(options, watched):
    port = port_free()
    with tempfile.TemporaryDirectory(prefix="veltrix-operators-") as name, server.Veltrixd(pathlib.Path(name), options.players, shards=40, huge=not options.no_huge, metrics_port=port) as veltrixd:
        folder = pathlib.Path(name)
        report = {}
        player = threading.Thread(target=lambda: report.update(server.load(folder, veltrixd.socket, options.players, options.seconds + 2, "--rate", options.rate, huge=not options.no_huge)))
        player.start()
        time.sleep(1)
        seen = watch(options, folder / "control.sock", port) if watched else {}
        player.join()
        status = veltrixd.status()
    lcore = next(lcore for lcore in status["lcores"] if "io" in lcore)
    return {"load": report, "residence": lcore["io"]["residence_urgent"], "gaps": lcore["gaps"], "stalls": status["stalls"], "watch": seen}


def main():
    aside()
    options = arguments()
    quiet, watched, quiet_again = (run(options, watch_it) for watch_it in (False, True, False))
    figures, wrong = dict(watched["watch"]), []
    for name, value in {"players_us_p99": lambda r: r["load"]["latency_us_p99"], "box_us_p99": lambda r: r["residence"]["us_p99"], "box_us_p999": lambda r: r["residence"]["us_p999"],
                        "pause_us_p999": lambda r: r["gaps"]["us_p999"]}.items():
        one, two, noisy = value(quiet), value(quiet_again), value(watched)
        figures |= {f"{name}_quiet": statistics.mean([one, two]), f"{name}_quiet_ratio": max(one, two) / min(one, two), f"{name}_watched": noisy, f"{name}_ratio": noisy / statistics.mean([one, two])}
    for what, value in {"requests_wrong": figures["requests_wrong"], "requests_unanswered": figures["requests_unanswered"],
                        "actions_unaccounted": watched["load"]["actions_unaccounted"], "answers_wrong": watched["load"]["answers_wrong"]}.items():
        figures[what] = value
        if value != 0:
            wrong.append(f"{what} is {value}")
    figures["stalls"] = watched["stalls"]  # of 50 ms and more: the host takes cores away, too
    for what in ("scrapes", "requests_per_s", "trace_lines_per_s", "top_bytes_per_s"):
        if figures[what] == 0:
            wrong.append(f"{what} is 0")
    return server.report("operators", figures, wrong, options.json)


if __name__ == "__main__":
    sys.exit(main())
