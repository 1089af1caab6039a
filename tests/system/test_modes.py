"""Teams and parties against the real programs, through the kernel's sockets and a tap port: five on five with roles and two parties
from FIND to HUNT_ENDED, a mode that is changed while it runs, and what is refused. Runs in a network namespace of its own."""
import re
import socket
import struct
import subprocess
import tempfile
import time

import appliance

SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
FIND, CANCEL, ACCEPT, STRIKE, LEAVE, INVITE, JOIN, STATUS = 1, 2, 3, 7, 9, 11, 12, 14
OK, ERROR, QUEUE, PROPOSAL, STARTED, ENDED, INVITED, PARTY, PLACE, SEAT = 1, 3, 0x41, 0x42, 0x43, 0x47, 0x48, 0x49, 0x4A, 0x4B
PARTY_FULL, NO_MODE, ABANDONED, TANK, HEALER = 19, 21, 13, 1, 2
MODES = """game = { roles = { "tank", "healer" } },
    modes = {
        { name = "duel", window_points = 50, window_more_points = 0 },
        { name = "fives", size_min = 5, size_max = 5, window_points = 1000, late_ms = 500, roles = { "tank=1", "healer=1" }, players_min = 7 },
    },"""


class Players:
    """Plain clients that share one socket; what each was told, by type."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.05)
        self.numbers, self.seen, self.told, self.answers = {}, {}, {}, {}

    def send(self, player, action, arg8=0, arg16=0, a=0, b=0, c=0):
        number = self.numbers[player] = self.numbers.get(player, 0) + 1
        self.socket.sendto(struct.pack("<BBBBIII", 0x56, 1, 1, 0, player, number, self.seen.get(player, 0)) + struct.pack("<BBHIII", action, arg8, arg16, a, b, c),
                           (SERVER, appliance.UDP_PORT))
        return number

    def receive(self):
        try:
            data = self.socket.recv(2048)
        except TimeoutError:
            return
        count, player, at = data[2], struct.unpack_from("<I", data, 4)[0], 8
        for _ in range(count):
            kind, code, arg16, number = struct.unpack_from("<BBHI", data, at)
            result, a, b, c = struct.unpack_from("<IIII", data, at + 8) if kind & 0x40 else (0, 0, 0, 0)
            at += 24 if kind & 0x40 else 8
            if result == self.seen.get(player, 0) + 1:
                self.seen[player] = result
            self.told[player, kind] = (code, arg16, a, b, c)
            self.answers[player, number] = (kind, code, arg16, a, b, c)

    def until(self, what, seconds=10):
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.told
            self.receive()

    def ask(self, player, action, **arguments):
        number = self.send(player, action, **arguments)
        self.until(lambda: (player, number) in self.answers)
        return self.answers[player, number]


def party(players, members):
    for member in members[1:]:
        players.ask(member, STATUS)
        kind, _, count, name, leader, _ = players.ask(members[0], INVITE, a=member, arg16=TANK)
        assert kind == PARTY and leader == members[0], (kind, count, leader)
        players.until(lambda member=member: (member, INVITED) in players.told)
        kind, _, count, joined, _, _ = players.ask(member, JOIN, a=name, arg16=HEALER)
        assert kind == PARTY and joined == name


def play(players, server):
    """Parties 0-1-2 and 3-4, and five singles: one team has to hold three, the other may not be split."""
    party(players, [0, 1, 2])
    party(players, [3, 4])
    for player, roles in ((0, TANK), (3, TANK | HEALER), *((single, TANK | HEALER) for single in range(5, 10))):
        kind, code, *_ = players.ask(player, FIND, arg8=1, arg16=roles, b=1500 + player)
        assert kind == QUEUE and code == 0, (player, kind, code)
    players.until(lambda: all((player, PROPOSAL) in players.told for player in range(10)))
    match = players.told[0, PROPOSAL][2]
    assert all(players.told[player, PROPOSAL][2] == match and players.told[player, PROPOSAL][1] == 1 for player in range(10))
    for player in range(10):
        assert players.ask(player, ACCEPT, a=match)[0] == OK
    players.until(lambda: all((player, STARTED) in players.told for player in range(10)))
    teams = {}
    for seat in range(10):
        kind, _, place, of, player, _ = players.ask(9, STATUS, a=seat)
        assert kind == SEAT and of == match and place & 0xFF == seat
        teams[player] = place >> 8
    assert sorted(teams.values()) == [0] * 5 + [1] * 5 and len({teams[p] for p in (0, 1, 2)}) == 1 and teams[3] == teams[4], teams
    seen = server.ctl("match", str(match))[0]
    assert seen["mode"] == "fives" and len(seen["seats"]) == 10 and seen["state"] == "hunting", seen
    for player in range(4):  # six are left: fewer than the mode wants
        players.ask(player, LEAVE)
    players.until(lambda: all((player, ENDED) in players.told for player in range(4, 10)))
    for player in range(4, 10):
        code, _, of, before, after = players.told[player, ENDED]
        assert code == ABANDONED and of == match and after >= before, players.told[player, ENDED]


def refusals(players):
    assert players.ask(20, FIND, arg8=2, b=1500)[:2] == (ERROR, NO_MODE)
    party(players, [20, 21])
    assert players.ask(20, FIND, arg8=0)[:2] == (ERROR, PARTY_FULL)


def change(players, server):
    """Two who are too far apart for the mode, and meet when it is widened; the file is applied as a whole or not at all."""
    players.ask(30, FIND, b=1500)
    players.ask(31, FIND, b=1800)
    kind, _, window, position, _, waited = players.ask(31, STATUS)
    assert kind == PLACE and window == 50 and position <= 1 and waited < 10000
    file = server.folder / "veltrix.lua"
    text = file.read_text()
    file.write_text(text.replace("window_points = 50", "window_points = 500").replace("size_max = 5", "size_max = 4"))
    refused = subprocess.run([appliance.APP / "veltrixctl" / "veltrixctl", "--socket", server.folder / "control.sock", "config", "apply"], capture_output=True, text=True, check=False)
    assert refused.returncode != 0 and re.search(r"modes\[2\].*size_min 5", refused.stderr), refused.stderr
    time.sleep(1)
    players.receive()
    assert (30, PROPOSAL) not in players.told
    file.write_text(text.replace("window_points = 50,", "window_points = 500,"))
    applied = server.ctl("config", "apply")
    assert [row["key"] for row in applied["changed"]] == ["modes[1]"] and not applied["restart"], applied
    players.until(lambda: (30, PROPOSAL) in players.told and (31, PROPOSAL) in players.told)
    file.write_text(text.replace("size_min = 5, size_max = 5", "size_min = 6, size_max = 6"))
    assert [row["key"] for row in server.ctl("config", "apply")["restart"]] == ["modes[2]"]  # more seats than the shards have


def main():
    with tempfile.TemporaryDirectory(prefix="veltrix-modes-") as folder:
        port = f'kind = "tap", target = "vxtap0", owned = true, addresses = {{ "{SERVER}" }}'
        with appliance.Appliance(folder, port, players=100, shards=1, more=MODES) as server:
            appliance.run(f"ip address add {CLIENT}/24 dev vxtap0")
            appliance.run("ip link set vxtap0 up")
            players = Players()
            play(players, server)
            refusals(players)
            change(players, server)
    print("five on five with two parties played to its end; a mode changed while it ran; five refusals")


if __name__ == "__main__":
    main()
