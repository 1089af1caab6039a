"""Lcores that stand still: noticed within 100 ms, with the stack of one that runs in circles and the kernel's word about one
that is not run; given up after watch.dead_ms; and the pauses that `pauses` lists."""
import os
import re
import signal
import sys
import threading
import time

from appliance import Appliance, run
from freeze import hold, spin


def lcore_thread(server):
    """Thread id of the polling lcore."""
    for tid in os.listdir(f"/proc/{server.process.pid}/task"):
        name = open(f"/proc/{server.process.pid}/task/{tid}/comm", encoding="ascii").read()
        if re.match(r"(rte-worker|lcore-worker)", name):
            return int(tid)
    raise AssertionError("no lcore thread")


def noticed_after(server, words, began):
    """Milliseconds until the log has the words."""
    while time.monotonic() < began + 2:
        if words in server.log():
            return (time.monotonic() - began) * 1000
        time.sleep(0.002)
    raise AssertionError(f"\"{words}\" never came: {server.log()}")


def an_lcore_that_is_not_run():
    server = Appliance(more="watch = { dead_ms = 0 },")
    thread = threading.Thread(target=hold, args=(lcore_thread(server), 0.4))
    began = time.monotonic()
    thread.start()
    ms = noticed_after(server, "stands still since", began)
    thread.join()
    server.until(lambda: "goes on after" in server.log(), "it goes on")
    log = server.log()
    print(f"      noticed after {ms:.0f} ms")
    assert ms <= 100, ms
    assert "not run by the kernel, state t (tracing stop)" in log and "LCORE=1" in log and "STAGE=" in log, log
    assert server.ask("status")["stalls"] == 1
    row = max(server.ask("pauses", idle=True), key=lambda row: row["us"])
    assert 350_000 < row["us"] < 600_000, row
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["at"]) and row["in"] and row["what_ran"], row
    server.ask("pauses", reset=True)
    assert all(row["us"] < 350_000 for row in server.ask("pauses", idle=True))
    server.stop()


def an_lcore_that_runs_in_circles():
    server = Appliance(more="watch = { dead_ms = 0 }, idle = { policy = 'busy' },")
    began = time.monotonic()
    spin(server.process.pid, lcore_thread(server), 0.3)
    ms = noticed_after(server, "stands still since", began)
    server.until(lambda: "goes on after" in server.log(), "it goes on")
    line = next(line for line in server.log().splitlines() if "stands still" in line)
    assert ms < 500 and "BACKTRACE=" in line and "+0x" in line and "app_lcore_main" in line, line
    server.stop()


def a_dead_lcore():
    server = Appliance(more="watch = { dead_ms = 300 }, idle = { policy = 'busy' },")
    began = time.monotonic()
    spin(server.process.pid, lcore_thread(server), None)
    code = server.process.wait(timeout=10)
    log = server.log()
    assert code == -signal.SIGABRT and time.monotonic() - began < 5, code
    assert "is given up after 300 ms" in log and "signal 6 (ABRT)" in log, log
    # The socket of the dead process is replaced, and players come back.
    server = Appliance()
    server.stop()


if __name__ == "__main__":
    sys.exit(run([("an lcore that is not run", an_lcore_that_is_not_run), ("an lcore that runs in circles", an_lcore_that_runs_in_circles), ("a dead lcore", a_dead_lcore)]))
