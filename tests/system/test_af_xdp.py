"""A NIC shared with the kernel: veltrixd on one end of a veth pair with native XDP, players and a kernel's neighbour
on the other. Games play while a TCP transfer and pings go through the same interface; a banned source's flood costs
the io lcore nothing; rates hold; a second veltrixd is refused; kill -9 and restart leave no program and lose no
interface. Runs in a network namespace of its own (unshare -n); the other end is in a second one."""
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import appliance

NIC, PEER = "vxn0", "vxn1"
SERVER_MAC = "02:00:00:00:00:01"
SERVER, NEIGHBOUR, PLAYER, FLOODER = "10.99.0.1", "10.99.0.3", "10.99.0.2", "10.99.0.66"
TCP_PORT, TCP_BYTES = 2222, 20_000_000
KILLS = 50
PORT = f'kind = "af_xdp", target = "{NIC}", owned = false, addresses = {{ "{SERVER}" }}, queues = 1, descriptors = 1024'


class Neighbour:
    """The namespace at the other end."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        while os.readlink(f"/proc/{self.process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        appliance.run(f"ip link set {PEER} netns {self.process.pid}")
        self.run(f"ip link set {PEER} up")
        self.run(f"ip address add {NEIGHBOUR}/24 dev {PEER}")

    def command(self, words):
        return ["nsenter", "-t", str(self.process.pid), "-n", *[str(word) for word in words]]

    def run(self, words):
        subprocess.run(self.command(words.split()), check=True, stdout=subprocess.DEVNULL)

    def load(self, folder, client, *more):
        """veltrix-load over a packet socket, so that this end's kernel has the interface too."""
        report = pathlib.Path(folder) / f"load-{client}.json"
        command = self.command([appliance.APP / "veltrix-load" / "veltrix-load", "--vdev", f"net_af_packet0,iface={PEER},blocksz=65536,framesz=2048,framecnt=4096,qdisc_bypass=1",
                                "--no-huge", "--quiet", "--cpu", appliance.OTHER_CPU, "--server-ip", SERVER, "--client-ip", client, "--server-mac", SERVER_MAC,
                                "--json", report, *more])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert report.exists(), done.stderr
        return done.returncode, json.loads(report.read_text())

    def end(self):
        self.process.kill()
        self.process.wait()


def has_program():
    return "xdp" in subprocess.run(["ip", "link", "show", NIC], capture_output=True, text=True, check=True).stdout


def pings(neighbour, count, interval="0.02"):
    shown = subprocess.run(neighbour.command(["ping", "-q", "-c", count, "-i", interval, SERVER]), capture_output=True, text=True, check=False).stdout
    return int(shown.split(" received")[0].split()[-1])


class Transfer:
    """A kernel's TCP listener behind the interface, and a client at the other end that sends it pseudo-random bytes."""

    CLIENT = f"""
import hashlib, random, socket
data = random.Random(7).randbytes({TCP_BYTES})
with socket.create_connection(("{SERVER}", {TCP_PORT})) as connection:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(100) == hashlib.sha256(data).hexdigest().encode(), "the transfer came out different"
"""

    def __init__(self, neighbour):
        self.listener = socket.create_server((SERVER, TCP_PORT))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        self.client = subprocess.Popen(neighbour.command(["/usr/bin/python3", "-c", self.CLIENT]))

    def serve(self):
        connection, _ = self.listener.accept()
        digest = hashlib.sha256()
        while chunk := connection.recv(1 << 16):
            digest.update(chunk)
        connection.sendall(digest.hexdigest().encode())
        connection.close()

    def finished(self):
        code = self.client.wait(timeout=60)
        self.listener.close()
        return code == 0


def check_games(server, neighbour, folder):
    """Whole games beside the kernel's own traffic."""
    transfer, answered = Transfer(neighbour), []
    thread = threading.Thread(target=lambda: answered.append(pings(neighbour, 100)))
    thread.start()
    code, report = neighbour.load(folder, PLAYER, "--players", 1000, "--rate", 10000, "--seconds", 4)
    thread.join()
    counters = server.counters()
    assert code == 0, f"veltrix-load found something wrong: {report}"
    assert report["matches"] > 100 and report["actions_unaccounted"] == 0, report
    assert transfer.finished(), "the kernel's TCP transfer broke"
    assert answered == [100], f"{answered[0]} of 100 pings were answered by the kernel"
    io = server.io()["io"]
    assert io["packets_in"] == counters["xdp_to_socket"] == io["packets"]["none"], "only the game's packets come to the io lcore"
    print(f"games: {report['matches']} matches; beside them {TCP_BYTES // 1000000} MB over TCP and 100 pings through the kernel: {counters['xdp_to_kernel']} packets passed to it")


def flood(server, neighbour, folder, seconds=2):
    """The flooder's packets for a while; the io lcore's busy share meanwhile, what it and the XDP program counted."""
    io_before, xdp_before = server.io()["io"], server.counters()
    result = []
    thread = threading.Thread(target=lambda: result.append(neighbour.load(folder, FLOODER, "--mode", "bounce", "--players", 500, "--window", 1 << 20, "--seconds", seconds)))
    thread.start()
    time.sleep(0.7)
    busy = server.busy_share(seconds - 1)
    thread.join()
    io_after, xdp_after = server.io()["io"], server.counters()
    return busy, result[0][1]["packets_sent"], io_after["packets_in"] - io_before["packets_in"], \
        {name: xdp_after[name] - xdp_before[name] for name in xdp_after if name.startswith("xdp_")}


def check_ban(server, neighbour, folder):
    idle = server.busy_share(1)
    busy, sent, taken, xdp = flood(server, neighbour, folder)
    assert xdp["xdp_to_socket"] == sent >= taken > 1000 and xdp["xdp_banned"] == 0, (sent, taken, xdp)
    print(f"flood of {sent / 2:,.0f} packets/s: io lcore busy {busy:.2%} (idle {idle:.2%}), {taken} packets reached it")
    server.ctl("ban", "add", f"{FLOODER}/32")
    busy_banned, sent, taken, xdp = flood(server, neighbour, folder)
    print(f"the same, banned, {sent / 2:,.0f} packets/s: io lcore busy {busy_banned:.2%}, {taken} packets reached it, {xdp['xdp_banned']} dropped in the driver")
    assert taken == 0 and xdp["xdp_banned"] == sent > 1000, (sent, taken, xdp)
    assert busy_banned <= idle + 0.01 < busy, "a banned source costs the io lcore something"
    assert server.ctl("ban", "list") == [{"prefix": f"{FLOODER}/32", "seconds_left": None}]
    server.ctl("ban", "del", f"{FLOODER}/32")


def check_rate(server, neighbour, folder):
    server.ctl("rate", "set", "1000", "50")
    _, sent, taken, xdp = flood(server, neighbour, folder)
    server.ctl("rate", "set", "0")
    print(f"rate of 1,000 packets/s: of {sent} sent in about 2 s {taken} reached the io lcore, {xdp['xdp_over_rate']} were over the rate")
    assert taken + xdp["xdp_over_rate"] == sent and 1500 < taken < 3500, (sent, taken, xdp)


def check_second(folder):
    with tempfile.TemporaryDirectory(prefix="veltrix-second-") as other:
        second = appliance.Appliance(other, PORT)
        assert not second.start() and second.process.wait(timeout=30) == 1
        said = second.errors.read_text()
    assert f"{NIC} is held by a running veltrixd" in said, said
    assert has_program(), "the second took the first one's program away"
    print("a second veltrixd on the interface is refused:", said.strip().splitlines()[-1])


def check_kills(neighbour):
    with tempfile.TemporaryDirectory(prefix="veltrix-kill-") as folder:
        server, slowest = appliance.Appliance(folder, PORT, players=100, shards=1), 0
        for number in range(KILLS):
            begun = time.monotonic()
            assert server.start(), f"start {number + 1} after kill -9 failed: " + server.errors.read_text()
            slowest = max(slowest, time.monotonic() - begun)
            assert has_program(), "started without a program"
            if number % 10 == 0:
                code, report = neighbour.load(folder, PLAYER, "--players", 100, "--mode", "bounce", "--window", 8, "--seconds", 0.2)
                assert code == 0 and report["actions_answered"] > 0, report
            assert server.stop(signal.SIGKILL) == -signal.SIGKILL
            deadline = time.monotonic() + 2
            while has_program():
                assert time.monotonic() < deadline, f"kill -9 number {number + 1} left its program on {NIC}"
            assert pings(neighbour, 2, "0.002") == 2, "the interface is lost"
        print(f"{KILLS} times killed and started again: never a stale program, never a lost interface; slowest start {slowest:.2f} s")


def main():
    appliance.veth(NIC, PEER, **{NIC: SERVER_MAC})
    appliance.run(f"ip address add {SERVER}/24 dev {NIC}")
    neighbour = Neighbour()
    try:
        with tempfile.TemporaryDirectory(prefix="veltrix-xdp-") as folder:
            with appliance.Appliance(folder, PORT) as server:
                assert any("XDP runs native" in note for note in server.ctl("ports")[0]["notes"]), "veth can do native XDP"
                for check in (check_games, check_ban, check_rate):
                    check(server, neighbour, folder)
                check_second(folder)
            assert not has_program(), "a clean end leaves no program"
            check_kills(neighbour)
    finally:
        neighbour.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
