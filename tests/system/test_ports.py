"""Each kind of port that needs no NIC, started as the README says and played through: tap and af_packet by the kernel's
own sockets, pcap from a file to a file, ring into itself. Runs in a network namespace of its own (unshare -n)."""
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

from scapy.all import IP, UDP, Ether, Raw, rdpcap, wrpcap

import appliance

SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
PING, PONG = 10, 2


def ping_action(player, number):
    return struct.pack("<BBBBIII", 0x56, 1, 1, 0, player, number, 0) + struct.pack("<BBHIII", PING, 0, 0, 0, 0, 0)


def pong_result(player, number):
    return struct.pack("<BBBBI", 0x76, 1, 1, 0, player) + struct.pack("<BBHI", PONG, 0, 0, number)


def talk(players):
    """A PING of each player through the kernel's socket, and its PONG; the kernel asks for the MAC by ARP first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        for player in range(players):
            client.sendto(ping_action(player, 1), (SERVER, appliance.UDP_PORT))
            answer = client.recv(2048)
            assert answer == pong_result(player, 1), answer.hex()
    answered = subprocess.run(["ping", "-q", "-c", "3", "-i", "0.05", "-W", "1", SERVER], capture_output=True, text=True, check=False)
    assert " 3 received" in answered.stdout, answered.stdout + answered.stderr


def owned(words):
    return words + f', owned = true, addresses = {{ "{SERVER}" }}'


def check_tap(folder):
    with appliance.Appliance(folder, owned('kind = "tap", target = "vxtap0"')) as server:
        appliance.run(f"ip address add {CLIENT}/24 dev vxtap0")
        appliance.run("ip link set vxtap0 up")
        talk(20)
        taken = server.io()["io"]["packets"]["none"]
        assert taken == 20, taken
    shown = subprocess.run(["ip", "link", "show", "vxtap0"], capture_output=True, check=False)
    assert shown.returncode != 0, "the interface outlives veltrixd"
    return "20 players through the kernel's socket and an interface that veltrixd made; gone with it"


def check_af_packet(folder):
    appliance.veth("vxp0", "vxp1")
    for name in ("vxp0", "vxp1"):
        appliance.run(f"ethtool -K {name} tx off")
    appliance.run(f"ip address add {CLIENT}/24 dev vxp1")
    with appliance.Appliance(folder, owned('kind = "af_packet", target = "vxp0"')):
        talk(20)
    return "20 players through the kernel's socket and a packet socket on veth"


def check_pcap(folder):
    frames = [Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / IP(src=CLIENT, dst=SERVER) / UDP(sport=5000 + player, dport=appliance.UDP_PORT) /
              Raw(ping_action(player, 7)) for player in range(300)]
    wrong = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / IP(src=CLIENT, dst=SERVER) / UDP(sport=5000, dport=appliance.UDP_PORT + 1)
    wrpcap(f"{folder}/in.pcap", frames + [wrong])
    with appliance.Appliance(folder, owned(f'kind = "pcap", target = "{folder}/in.pcap,{folder}/out.pcap"')) as server:
        deadline = time.monotonic() + 5
        while server.io()["io"]["packets_out"] < 300 and time.monotonic() < deadline:
            time.sleep(0.05)
        counted = server.io()["io"]["packets"]
    answers = rdpcap(f"{folder}/out.pcap")
    assert counted["none"] == 300 and counted["wrong_port"] == 1, counted
    assert sorted(bytes(answer[UDP].payload) for answer in answers) == sorted(pong_result(player, 7) for player in range(300))
    return "301 frames read, 300 answers written, 1 counted as wrong_port"


def check_ring(folder):
    with appliance.Appliance(folder, owned('kind = "ring"')) as server:
        state = server.ctl("ports")[0]
        assert state["driver"] == "net_ring" and state["state"] == "up", state
    return "started, up, stopped"


def check_refusals(folder):
    """What cannot be is said before anything is taken."""
    cases = [('kind = "tap", target = "lo"', "there is an interface lo already"), ('kind = "af_packet", target = "nosuch0"', 'there is no interface "nosuch0"'),
             ('kind = "af_xdp", target = "nosuch0"', 'there is no interface "nosuch0"'), (f'kind = "pcap", target = "{folder}/no.pcap"', "No such file or directory"),
             ('kind = "pci", target = "nonsense"', "expected a PCI address like 0000:00:06.0"), ('kind = "pci", target = "ffff:ff:1f.7"', "there is no PCI device ffff:ff:1f.7")]
    for port, sentence in cases:
        server = appliance.Appliance(folder, owned(port))
        assert not server.start() and server.process.wait(timeout=30) == 1, port
        said = server.errors.read_text()
        assert sentence in said and "ports[1].target" in said, said
    return f"{len(cases)} targets refused in a sentence"


def main():
    appliance.run("ip link set lo up")
    for check in (check_tap, check_af_packet, check_pcap, check_ring, check_refusals):
        with tempfile.TemporaryDirectory(prefix="veltrix-ports-") as folder:
            print(f"{check.__name__.removeprefix('check_')}: {check(pathlib.Path(folder))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
