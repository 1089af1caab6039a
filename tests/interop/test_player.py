"""veltrix-player, and so lib/client, against the Python server over loopback: a network that loses a third of all packets,
doubles and delays others, and still each action is taken once, each result printed once and in order. Then everything that
can go wrong on the way in."""
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import netcode_server
import netcode_wire as wire

PLAYER, PROTOCOL, KEY = sys.argv[1], 0x5658, bytes(range(32))
PINGS, LOOT = 30, 40
MAGIC_CLIENT, MAGIC_SERVER, PING, ACK, PONG, OK, REPEATED, LOOT_GRANTED = 0x56, 0x76, 10, 8, 0x02, 0x01, 0x04, 0x46


class Game:
    """What a shard does for a player, as docs/protocol.md says, over a bad network. A thread of its own."""

    def __init__(self, slots=4, loss=0.0, deaf=False):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.01)
        self.address, self.loss, self.deaf = self.socket.getsockname(), loss, deaf
        self.random, self.late = random.Random(5), []
        self.server = netcode_server.Server(PROTOCOL, KEY, self.address, slots, self.send)
        self.taken, self.seen, self.issued, self.repeat_at = [], 0, 0, 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def close(self):
        self.stop.set()
        self.thread.join()
        self.socket.close()

    def send(self, data, to):
        for _ in range(2 if self.loss and self.random.random() < 0.1 else 1):
            if self.loss and self.random.random() < 0.2:
                self.late.append((time.time() + self.random.random() * 0.3, data, to))
            elif self.random.random() >= self.loss:
                self.socket.sendto(data, to)

    def answer(self, to, results):
        self.server.send_payload(struct.pack("<BBBBI", MAGIC_SERVER, 1, len(results), 0, 0) + b"".join(results), to, time.time())

    def loot(self, number):
        return struct.pack("<BBHIIIII", LOOT_GRANTED, 0, number, 0, number, number, 0, 1)

    def on_actions(self, body, to):
        magic, version, count, flags, player, first, seen = struct.unpack_from("<BBBBIII", body)
        assert (magic, version, flags, player) == (MAGIC_CLIENT, 1, 0, 0) and len(body) == 16 + 16 * count, body
        assert seen <= self.issued, "it acknowledges what was never sent"
        self.seen, results = max(self.seen, seen), []
        for i in range(count):
            kind, number = body[16 + 16 * i], first + i
            again = number in self.taken
            if not again:
                self.taken.append(number)
            results.append(struct.pack("<BBHI", REPEATED if again else PONG if kind == PING else OK, 0, 0, number))
        self.answer(to, results)

    def run(self):
        while not self.stop.is_set():
            now = time.time()
            try:
                data, source = self.socket.recvfrom(2048)
                if not self.deaf and self.random.random() >= self.loss:
                    self.server.receive(data, source, now)
            except socket.timeout:
                pass
            for item in [item for item in self.late if item[0] <= now]:
                self.late.remove(item)
                self.socket.sendto(item[1], item[2])
            for address, session in list(self.server.connected().items()):
                while session.payloads:
                    self.on_actions(session.payloads.pop(0), address)
                if now >= self.repeat_at:
                    self.repeat_at = now + 0.1
                    self.issued = min(self.issued + 3, LOOT)
                    self.answer(address, [self.loot(number) for number in range(self.seen + 1, self.issued + 1)][:8])
            self.server.update(now)


def token_file(folder, servers, **more):
    path = pathlib.Path(folder) / "token"
    path.write_bytes(wire.issue(**{"client_id": 7, "servers": servers, "protocol_id": PROTOCOL, "key": KEY, "timeout": 2, "expire_seconds": 60, **more}).to_bytes())
    return path


def player(path, *words, stdin=""):
    return subprocess.run([PLAYER, "--token", path, *words], input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_bad_network(folder):
    game = Game(loss=0.33)
    process = subprocess.Popen([PLAYER, "--token", token_file(folder, [game.address], timeout=20), "--json", "--seconds", "50"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for _ in range(PINGS // 10):
        process.stdin.write("ping\n" * 10)
        process.stdin.flush()
        time.sleep(0.5)
    deadline = time.time() + 40
    while (game.seen < LOOT or len(game.taken) < PINGS) and time.time() < deadline:
        time.sleep(0.1)
    time.sleep(2)  # late doubles
    output, _ = process.communicate("quit\n", timeout=20)
    time.sleep(0.3)
    results = [json.loads(line) for line in output.splitlines()]
    answers = [one["action"] for one in results if one["action"]]
    loot = [one["a"] for one in results if one["result"] == "LOOT_GRANTED"]
    assert process.returncode == 0, process.returncode
    assert len(answers) == PINGS and len(set(answers)) == PINGS, f"{len(answers)} answers to {PINGS} pings, {len(set(answers))} different"
    assert loot == list(range(1, LOOT + 1)), f"results in the order {loot}"
    assert game.seen == LOOT and len(game.taken) == len(set(game.taken))
    assert game.server.left and game.server.left[-1][1] == "disconnected", game.server.left
    game.close()


def test_ways_in(folder):
    full, silent, good = Game(slots=0), Game(deaf=True), Game()
    try:
        done = player(token_file(folder, [full.address]), stdin="ping\n")
        assert done.returncode == 1 and "full" in done.stderr, done
        began = time.time()
        done = player(token_file(folder, [silent.address], timeout=1))
        assert done.returncode == 1 and "no server answered our request" in done.stderr and 0.9 < time.time() - began < 3, done
        done = player(token_file(folder, [silent.address], timeout=5, expire_seconds=1))
        assert done.returncode == 1 and "expired" in done.stderr, done
        done = player(token_file(folder, [silent.address, full.address, good.address], timeout=1), stdin="ping\nping\n")
        assert done.returncode == 0 and done.stdout.count("PONG") == 2, done
        path = token_file(folder, [good.address])
        good_bytes = path.read_bytes()
        for spoilt, what in ((good_bytes[:-1], "2048 bytes"), (b"X" + good_bytes[1:], "version"), (good_bytes[:1089] + b"\0\0\0\0" + good_bytes[1093:], "1 to 32 servers")):
            path.write_bytes(spoilt)
            done = player(path)
            assert done.returncode == 1 and what in done.stderr, done
        assert player(folder + "/none").returncode == 1
        assert subprocess.run([PLAYER], capture_output=True, check=False).returncode == 2
    finally:
        for game in (full, silent, good):
            game.close()


def test_commands(folder):
    game = Game()
    try:
        done = player(token_file(folder, [game.address]), stdin="dance\nmove 1\nmove 100 -200\n\nping\nquit now\n")
        assert done.returncode == 0 and "'dance' is no command" in done.stderr and "move X Y [Z]" in done.stderr, done
    finally:
        game.close()


def test_server_goes(folder):
    game = Game()
    process = subprocess.Popen([PLAYER, "--token", token_file(folder, [game.address], timeout=1)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not game.server.connected():
        time.sleep(0.02)
    game.deaf = True
    game.close()
    errors = process.stderr.read()
    assert process.wait(timeout=10) == 1 and "fell silent" in errors, errors


def main():
    with tempfile.TemporaryDirectory() as folder:
        for test in (test_bad_network, test_ways_in, test_commands, test_server_goes):
            test(folder)
            print(test.__name__, "ok", flush=True)


if __name__ == "__main__":
    os.environ.pop("LD_PRELOAD", None)
    main()
