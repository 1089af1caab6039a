#!/usr/bin/python3
"""Clients of the control socket that mean no good, while players play: what the packet path feels of each, by its own counters."""
import os
import socket
import statistics
import sys
import time

from appliance import CPUS, Appliance, Client, run

ROWS, SECONDS_MAX = 4, 12  # a row a second, the first one of before
appliance = Appliance()
os.sched_setaffinity(0, {CPUS - 1})  # the polling core is veltrixd's alone


class Feel:
    """Medians over the next seconds, of a row a second."""

    def __init__(self, what):
        status, began, rows = appliance.ask("status"), time.monotonic(), []
        while len(rows) < ROWS and time.monotonic() - began < SECONDS_MAX:
            what()
            row = Client(appliance.socket).ask("rates", last=1)[0]
            if not rows or row["at_s"] != rows[-1]["at_s"]:
                rows.append(row)
        after = appliance.ask("status")
        assert len(rows) == ROWS, f"{len(rows)} rows in {SECONDS_MAX} s: the control thread does not get round"
        self.stalls = after["stalls"] - status["stalls"]
        self.actions, self.us_p99, self.pause_us = (statistics.median(row[key] for row in rows[1:]) for key in ("actions", "us_p99", "pause_us"))
        lcore, lcore_after = status["lcores"][0], after["lcores"][0]
        self.busy = (lcore_after["busy_cycles"] - lcore["busy_cycles"]) / (after["cycles_per_s"] * (time.monotonic() - began))


def feels_nothing(name, what):
    felt = Feel(what)
    print(f"      {name}: pause {felt.pause_us:.0f} us (quiet {QUIET.pause_us:.0f}), p99 {felt.us_p99:.0f} us ({QUIET.us_p99:.0f}), "
          f"{felt.busy * 100:.0f} % busy ({QUIET.busy * 100:.0f}), {felt.actions:.0f} actions/s ({QUIET.actions:.0f})")
    assert felt.stalls <= QUIET.stalls + 1, "an lcore stood still"  # the host itself takes a core away for 50 ms now and then
    assert felt.actions > QUIET.actions / 3, "players were not served"
    # Far above this machine's noise, far below what waiting for a client or serving one on the lcore would cost.
    assert felt.us_p99 < 3 * QUIET.us_p99 + 20000 and felt.pause_us < 3 * QUIET.pause_us + 20000
    assert felt.busy < QUIET.busy + 0.3, "the polling lcore does more"


def connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setblocking(False)
    client.connect(str(appliance.socket))
    return client


def send(client, data):
    """What the socket takes now; False when the server has closed it."""
    try:
        client.send(data)
    except BlockingIOError:
        time.sleep(0.001)
    except OSError:
        return False
    return True


class Sender:
    """Sends the same over and over and never reads; connects again when it is closed."""

    def __init__(self, data, count=1):
        self.data, self.clients, self.closed = data, [connect() for _ in range(count)], 0

    def __call__(self):
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            for i, client in enumerate(self.clients):
                if not send(client, self.data):
                    client.close()
                    self.clients[i] = connect()
                    self.closed += 1

    def close(self):
        for client in self.clients:
            client.close()


def flood(name, data, count=1, closed=False):
    sender = Sender(data, count)
    feels_nothing(name, sender)
    if closed:
        appliance.until(lambda: sender() or sender.closed > 0, "a client with more unread answers than there is room for is closed", 20)
    sender.close()
    appliance.until(lambda: appliance.ask("status")["accounts_balance"], "the accounts balance at some look")


def who_never_reads_is_closed():
    flood("never reads", b'{"id":1,"command":"status"}\n' * 20, 10, closed=True)


def a_feed_that_nobody_reads():
    flood("trace, never read", b'{"id":1,"command":"trace"}\n', 5)


def broken_json():
    flood("broken JSON", b'{"id":1,"command":\n{]\n\xff\xfe\n"\n' * 50)


def unknown_commands():
    flood("unknown commands", b"statsu\nplayr 5\n" * 100)


def a_line_of_100_mb():
    sent, client, block = [0], connect(), b"x" * (1 << 20)

    def some():
        until = time.monotonic() + 0.2
        while time.monotonic() < until and sent[0] < 100 << 20:
            try:
                sent[0] += client.send(block)
            except BlockingIOError:
                time.sleep(0.0005)
    resident = appliance.ask("status")["resident_bytes"]
    feels_nothing("a line of 100 MB", some)
    appliance.until(lambda: some() or sent[0] >= 100 << 20, "100 MB are taken", 20)
    client.setblocking(True)
    client.settimeout(10)
    client.sendall(b"\nuptime?\n")
    answer = client.recv(1 << 16)
    assert b"too_long" in answer or b"longer" in answer, answer
    client.close()
    assert appliance.ask("status")["resident_bytes"] < resident + (8 << 20), "the line was kept"


if __name__ == "__main__":
    appliance.play(rate=4000)
    appliance.until_playing()
    time.sleep(1)
    QUIET = Feel(lambda: time.sleep(0.2))
    STATUS = run([(test.__name__.replace("_", " "), test) for test in (who_never_reads_is_closed, a_feed_that_nobody_reads, broken_json, unknown_commands, a_line_of_100_mb)])
    appliance.stop()
    sys.exit(STATUS)
