"""perf/pktgen: its Lua scripts call only what Pktgen has and measure what a made-up link gives; its command files hold only Pktgen's
commands and say the same as the scripts; the bytes that Pktgen would send, and the captures, decode in tshark to what they claim; and
played into a real veltrixd, through a pcap port and over veth as Pktgen's af_packet would, every packet is counted as it should be and
games are played to their end. Pktgen itself is not packaged by Debian and not run here. In a network namespace of its own (unshare -n)."""
import json
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

from scapy.all import PcapReader, rdpcap

import appliance

PKTGEN = appliance.ROOT / "perf" / "pktgen"
PLAYERS, SHARDS = 256, 2
SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
SO_RCVBUFFORCE = 33  # Python has no name for it
MACS = {"vxg0": "02:00:00:00:00:01", "vxg1": "02:00:00:00:00:02"}
WORDS = {"P": r"(?:all|\d+)", "d": r"\d+", "4": r"[\d.]+", "m": r"(?:[\da-f]{2}:){5}[\da-f]{2}", "s": r"\S+"}
# The rows of Pktgen's own tables (cli-functions.c) that the command files use; %x as there.
COMMANDS = ["set %P count %d", "set %P rate %d", "set %P proto (?:udp|tcp|icmp)", "set %P pattern (?:abc|none|user|zero)", "set %P rnd %d %d %s", "range %P (?:src|dst) mac %m %m %m %m",
            "range %P (?:src|dst) ip %4 %4 %4 %4", "range %P proto (?:tcp|udp)", "range %P (?:src|dst) port %d %d %d %d", "range %P size %d %d %d %d",
            "(?:enable|disable) %P (?:random|pcap|range)"]
PATTERNS = [re.compile(re.sub(r"%(\w)", lambda found: WORDS[found.group(1)], row)) for row in COMMANDS]


def script(name, **settings):
    """What a Lua script prints, and its calls, under the made-up Pktgen."""
    environment = {**os.environ, **{"VX_" + key.upper(): str(value) for key, value in settings.items()}}
    done = subprocess.run(["luajit", pathlib.Path(__file__).parent / "pktgen_fake.lua", f"perf/pktgen/{name}"], cwd=appliance.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return [line.split("\t") for line in lines if not line.startswith("CALL")], [line.split("\t")[1:] for line in lines if line.startswith("CALL")]


def check_lua():
    for path in sorted(PKTGEN.glob("*.lua")):
        subprocess.run(["luajit", "-b", path, os.devnull], check=True)
    rows, _ = script("move.lua", rates="10,30,60", seconds=2)
    assert rows[1:] == [["10", "100000", "100000", "0.000000"], ["30", "300000", "300000", "0.000000"], ["60", "600000", "300000", "0.500000"]], rows
    rows, _ = script("rfc2544.lua", seconds=1, steps=12)
    assert [row[:2] for row in rows[1:]] == [["1", "78"], ["2", "94"], ["4", "126"], ["8", "190"], ["12", "254"]], rows
    assert all(29.9 < float(row[2]) < 30.1 and 299000 < int(row[3]) < 301000 for row in rows[1:]), rows
    rows, _ = script("games.lua", count=448, seconds=1)
    assert rows[1] == ["448", "448"], rows
    rows, _ = script("garbage.lua", seconds=1)
    assert rows[1] == ["1000000", "300000"], rows
    failed = subprocess.run(["luajit", pathlib.Path(__file__).parent / "pktgen_fake.lua", "/dev/stdin"], input="pktgen.nosuch('0')", capture_output=True, text=True, check=False)
    assert failed.returncode != 0 and "no function pktgen.nosuch" in failed.stderr, "the made-up Pktgen takes anything"
    return f"{len(list(PKTGEN.glob('*.lua')))} files; the search finds the 300,000 packets/s of a made-up link"


def calls_as_commands(calls):
    """The script's ranges and bitfields as a command file would say them."""
    said, ranges = set(), {}
    for name, *words in (call[:1] + call[2:] for call in calls):
        if name == "rnd" and words[2:]:
            said.add(f"set 0 rnd {' '.join(words)}")
        elif name.startswith("range.") and len(words) == 2:
            ranges.setdefault(name[6:], {})[words[0]] = words[1]
    names = {"dst_mac": "dst mac", "src_mac": "src mac", "dst_ip": "dst ip", "src_ip": "src ip", "dst_port": "dst port", "src_port": "src port", "pkt_size": "size"}
    return said | {f"range 0 {names[name]} " + " ".join(row[word] for word in ("start", "min", "max", "inc")) for name, row in ranges.items()}


def check_command_files():
    for path in sorted(PKTGEN.glob("*.pkt")):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        unknown = [line for line in lines if not any(pattern.fullmatch(line) for pattern in PATTERNS)]
        assert lines and not unknown, f"{path.name}: not Pktgen's: {unknown}"
        if path.stem != "games":
            said = {line for line in lines if line.startswith(("set 0 rnd", "range 0")) and "proto" not in line}
            wanted = {line.rstrip() for line in calls_as_commands(script(path.stem + ".lua")[1]) if not re.fullmatch(r"set 0 rnd \d+ 0", line.rstrip())}
            assert said == wanted, f"{path.name} and {path.stem}.lua differ: {said ^ wanted}"
    return f"{len(list(PKTGEN.glob('*.pkt')))} files of Pktgen's commands, and they say what the scripts do"


def check_run():
    environment = {**os.environ, "VX_PRINT": "1"}
    def shown(*words):
        return subprocess.run([PKTGEN / "run", *words], env=environment, capture_output=True, text=True, check=False)
    assert "--no-huge -m 2048 --no-pci --vdev=net_af_packet0,iface=vx1" in shown("veth", "vx1", "perf/pktgen/move.lua").stdout
    assert shown("pci", "0000:00:06.0", "2", "perf/pktgen/games.lua", "a", "b").stdout.strip().endswith('-m [1-2:1-2].0 -f perf/pktgen/games.lua -s 0:a,b')
    assert "1 captures for 2 queues" in shown("pci", "0000:00:06.0", "2", "perf/pktgen/games.lua", "a").stderr
    assert "there is no script nosuch" in shown("veth", "vx1", "nosuch").stderr and shown("tap").returncode == 2
    return "command lines for veth and for a NIC of two queues"


def field_frames(calls, number, dice):
    """What leaves Pktgen: range mode's headers, a payload of zeros, the bitfields over both."""
    size = next(int(words[3]) for words in calls if words[0] == "range.pkt_size")
    fields = [(int(words[3]), words[4]) for words in calls if words[0] == "rnd" and len(words) > 4 and words[4]]
    bytes_ip = size - 4 - 14
    for index in range(number):
        ip = struct.pack(">BBHHHBBH", 0x45, 0, bytes_ip, 0, 0, 64, 17, 0) + socket.inet_aton(CLIENT) + socket.inet_aton(SERVER)
        total = sum(struct.unpack(">10H", ip))
        checksum = ~((total & 0xffff) + (total >> 16)) & 0xffff
        udp = struct.pack(">HHHH", 40001 + index % 1024, appliance.UDP_PORT, bytes_ip - 20, 0xdead)  # of the zeros: wrong by now
        frame = bytearray(bytes.fromhex("020000000001020000000002") + b"\x08\x00" + ip[:10] + struct.pack(">H", checksum) + ip[12:] + udp + bytes(bytes_ip - 28))
        for offset, mask in fields:
            for bit, what in enumerate(mask):
                at, power = offset + bit // 8, 1 << 7 - bit % 8
                one = {"0": False, "1": True, "X": dice.random() < 0.5}[what]
                frame[at] = frame[at] | power if one else frame[at] & ~power
        yield bytes(frame)


def pcap_write(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def infos(path):
    """tshark's protocol, sentence and complaint of each packet."""
    command = ["tshark", "-X", f"lua_script:{appliance.ROOT}/lua/wireshark/veltrix.lua", "-r", path, "-T", "fields", "-e", "_ws.col.Protocol", "-e", "_ws.col.Info", "-e", "_ws.expert.message"]
    return [line.split("\t") for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()]


def played(folder, capture):
    """What veltrixd counts when the capture is its port."""
    port = f'kind = "pcap", target = "{capture},{folder}/out.pcap", owned = true, addresses = {{ "{SERVER}" }}'
    total = sum(1 for _ in PcapReader(str(capture)))
    with appliance.Appliance(folder, port, players=PLAYERS, shards=f"{SHARDS}, ring_events = 16384") as server:  # a file comes all at once
        deadline = time.monotonic() + 10
        while (io := server.io()["io"])["packets_in"] < total or io["replies_in"] < io["actions_queued"] and time.monotonic() < deadline:
            assert time.monotonic() < deadline, io
            time.sleep(0.05)
        time.sleep(0.1)
        totals = server.ctl("status")["totals"]
        io = server.io()["io"]
    return total, io, totals


def check_range_mode(folder):
    """The bytes of range mode with bitfields, for each number of actions that the search uses."""
    dice, frames = random.Random(1), []
    for actions in (1, 2, 12):
        _, calls = script("move.lua", actions=actions, rates="10", player_bits=8)
        frames += list(field_frames(calls, 100, dice))
    capture = folder / "range.pcap"
    pcap_write(capture, frames)
    for row, (protocol, info, complaint) in enumerate(infos(capture)):
        actions = (1, 2, 12)[row // 100]
        assert protocol == "VELTRIX" and re.fullmatch(r"player \d+: MOVE" + " PING" * (actions - 1), info) and complaint == "", (protocol, info, complaint)
    total, io, totals = played(folder, capture)
    ended = totals["actions_answered"] + totals["actions_refused"] + totals["actions_repeated"]
    assert io["packets"]["none"] == total == 300 and io["actions_in"] == 1500 == ended, (io, totals)
    return f"{total} packets of 1, 2 and 12 actions: each a valid MOVE, {totals['actions_answered']} of 1500 actions taken, {totals['actions_refused']} STALE, {totals['actions_repeated']} REPEATED"


def captures(folder):
    subprocess.run([PKTGEN / "pcaps", folder, "--players", str(PLAYERS), "--shards", str(SHARDS), "--queues", "2"], check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "pcaps.json").read_text())


KINDS = {"find": "FIND", "accept": "ACCEPT", "move": "MOVE PING", "leave": "LEAVE"}


def check_captures(folder):
    claims = captures(folder)
    first = {path.name: path.read_bytes() for path in folder.glob("*-?.pcap")}
    captures(folder)
    assert first == {path.name: path.read_bytes() for path in folder.glob("*-?.pcap")}, "not the same bytes every time"
    for name in ("move-0.pcap", "games-0.pcap", "games-1.pcap"):
        found = {}
        for protocol, info, complaint in infos(folder / name):
            assert protocol == "VELTRIX" and complaint == "", (name, info, complaint)
            found[info.split(": ")[1]] = found.get(info.split(": ")[1], 0) + 1
        assert found == {KINDS[kind]: count for kind, count in claims[name].items()}, (name, found, claims[name])
    total, io, totals = played(folder, folder / "move-0.pcap")
    assert io["packets"]["none"] == total == claims["move-0.pcap"]["move"] and totals["actions_answered"] == 2 * total, (io, totals)
    total, io, _ = played(folder, folder / "garbage-0.pcap")
    counted = {reason: count for reason, count in io["packets"].items() if count > 0}
    assert counted == claims["garbage-0.pcap"] and io["packets_out"] == 0, (counted, claims["garbage-0.pcap"])
    return f"decode to what pcaps.json says; {2 * claims['move-0.pcap']['move']} moves answered; {total} of garbage counted under {len(counted)} reasons, none answered"


def check_games(folder):
    """Over veth, a packet every so often, as Pktgen sends at a low rate; answers are read off the wire."""
    claims = captures(folder)
    appliance.veth("vxg0", "vxg1", **MACS)
    results = {}
    with appliance.Appliance(folder, f'kind = "af_packet", target = "vxg0", owned = true, addresses = {{ "{SERVER}" }}', players=PLAYERS, shards=SHARDS) as server, \
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800)) as wire:
        wire.bind(("vxg1", 0))
        wire.settimeout(0.5)
        wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)  # everything is read after the last packet
        time.sleep(0.5)  # the pairing formula says its windows once, at the start
        for name in ("games-0.pcap", "games-1.pcap"):
            for packet in rdpcap(str(folder / name)):
                wire.send(bytes(packet))
                time.sleep(0.0005)
        try:
            while True:
                data = wire.recv(2048)[42:]
                at = 8
                while data[0] == 0x76 and at < len(data):
                    results[data[at]] = results.get(data[at], 0) + 1
                    at += 24 if data[at] & 0x40 else 8
        except TimeoutError:
            pass
        totals = server.ctl("status")["totals"]
    pairs = sum(claims[name]["leave"] for name in ("games-0.pcap", "games-1.pcap"))
    sent = sum(count * (2 if kind == "move" else 1) for name in ("games-0.pcap", "games-1.pcap") for kind, count in claims[name].items())
    assert totals["actions_in"] == totals["actions_answered"] == sent, (sent, totals)
    for result, wanted in {0x42: 2 * pairs, 0x43: 2 * pairs, 0x47: pairs, 0x41: 2 * pairs}.items():
        assert results.get(result, 0) >= wanted, (hex(result), wanted, results)
    return f"{pairs} games over veth: {sent} actions answered, {results[0x43]} HUNT_STARTED and {results[0x47]} HUNT_ENDED on the wire"


def main():
    for check in (check_lua, check_command_files, check_run):
        print(f"{check.__name__.removeprefix('check_')}: {check()}", flush=True)
    for check in (check_range_mode, check_captures, check_games):
        with tempfile.TemporaryDirectory(prefix="veltrix-pktgen-") as folder:
            print(f"{check.__name__.removeprefix('check_')}: {check(pathlib.Path(folder))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
