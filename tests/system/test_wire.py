"""Hand-made frames over a veth pair and AF_XDP into a running veltrixd: every byte of every answer, and for
every bad frame silence and its own counter. Runs in a network namespace of its own (unshare -n)."""
import select
import struct
import sys
import tempfile
import time

from scapy.all import ARP, ICMP, IP, UDP, Dot1Q, Ether, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, \
    ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6, Raw, conf

import appliance

NIC, PEER = "vxwire0", "vxwire1"
SERVER_MAC, CLIENT_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
SERVER, CLIENT, SERVER_6, CLIENT_6 = "10.99.0.1", "10.99.0.2", "fd00::1", "fd00::2"
PORT, PLAYERS = appliance.UDP_PORT, 100
MOVE, PING = 5, 10
OK, PONG, REPEATED = 1, 2, 4


def drops(server):
    return server.io()["io"]["packets"] | server.counters()


def exchange(link, frame, wait_s=1.0):
    """Sends; returns the first frame that comes from the server, or None."""
    link.send(frame)
    end = time.monotonic() + wait_s
    while (left := end - time.monotonic()) > 0:
        if not select.select([link], [], [], left)[0]:
            return None
        _, data, _ = link.recv_raw()
        if data is not None and data[6:12] == bytes.fromhex(SERVER_MAC.replace(":", "")):
            return data
    return None


def out():
    return Ether(src=CLIENT_MAC, dst=SERVER_MAC)


def back():
    return Ether(src=SERVER_MAC, dst=CLIENT_MAC)


def actions(player, number, *types, magic=0x56, count=None):
    return Raw(struct.pack("<BBBBIII", magic, 1, len(types) if count is None else count, 0, player, number, 0) +
               b"".join(struct.pack("<BBHIII", kind, 0, 0, 0, 0, 0) for kind in types))


def results(player, *each):
    return Raw(struct.pack("<BBBBI", 0x76, 1, len(each), 0, player) + b"".join(struct.pack("<BBHI", kind, code, 0, number) for kind, code, number in each))


IP_OUT, IP_BACK = IP(src=CLIENT, dst=SERVER), IP(src=SERVER, dst=CLIENT, flags="DF", id=0, ttl=64)
IP6_OUT, IP6_BACK = IPv6(src=CLIENT_6, dst=SERVER_6), IPv6(src=SERVER_6, dst=CLIENT_6, hlim=64)
UDP_OUT, UDP_BACK = UDP(sport=5555, dport=PORT), UDP(sport=PORT, dport=5555)
NO_OPERATION = b"\x01" * 4

GOOD = [
    ("IPv4", out() / IP_OUT / UDP_OUT / actions(7, 1, PING), back() / IP_BACK / UDP_BACK / results(7, (PONG, 0, 1))),
    ("IPv4, same number again", out() / IP_OUT / UDP_OUT / actions(7, 1, PING), back() / IP_BACK / UDP_BACK / results(7, (REPEATED, 0, 1))),
    ("two actions, one packet back", out() / IP_OUT / UDP_OUT / actions(7, 2, MOVE, PING),
     back() / IP_BACK / UDP_BACK / results(7, (OK, 0, 2), (PONG, 0, 3))),
    ("IPv4 with options", out() / IP(src=CLIENT, dst=SERVER, options=NO_OPERATION) / UDP_OUT / actions(8, 1, PING), back() / IP_BACK / UDP_BACK / results(8, (PONG, 0, 1))),
    ("no UDP checksum", out() / IP_OUT / UDP(sport=5555, dport=PORT, chksum=0) / actions(9, 1, PING), back() / IP_BACK / UDP_BACK / results(9, (PONG, 0, 1))),
    ("VLAN", out() / Dot1Q(vlan=42, prio=3) / IP_OUT / UDP_OUT / actions(10, 1, PING),
     back() / Dot1Q(vlan=42, prio=3) / IP_BACK / UDP_BACK / results(10, (PONG, 0, 1))),
    ("IPv6", out() / IP6_OUT / UDP_OUT / actions(11, 1, PING), back() / IP6_BACK / UDP_BACK / results(11, (PONG, 0, 1))),
    ("ARP", out() / ARP(op=1, hwsrc=CLIENT_MAC, psrc=CLIENT, pdst=SERVER), back() / ARP(op=2, hwsrc=SERVER_MAC, psrc=SERVER, hwdst=CLIENT_MAC, pdst=CLIENT)),
    ("ICMP echo", out() / IP_OUT / ICMP(id=3, seq=4) / b"veltrix!", back() / IP(src=SERVER, dst=CLIENT, id=IP_OUT.id, ttl=64) / ICMP(type=0, id=3, seq=4) / b"veltrix!"),
    ("ICMPv6 echo", out() / IP6_OUT / ICMPv6EchoRequest(id=3, seq=4, data=b"veltrix!"), back() / IP6_BACK / ICMPv6EchoReply(id=3, seq=4, data=b"veltrix!")),
    ("neighbour solicitation", out() / IPv6(src=CLIENT_6, dst=SERVER_6, hlim=255) / ICMPv6ND_NS(tgt=SERVER_6) / ICMPv6NDOptSrcLLAddr(lladdr=CLIENT_MAC),
     back() / IPv6(src=SERVER_6, dst=CLIENT_6, hlim=255) / ICMPv6ND_NA(R=0, S=1, O=1, tgt=SERVER_6) / ICMPv6NDOptDstLLAddr(lladdr=SERVER_MAC)),
]
# Reasons with the prefix xdp_ are counted by the XDP program, the others by the io lcore.
BAD = [
    ("bad_magic", out() / IP_OUT / UDP_OUT / actions(7, 9, PING, magic=0x76)),
    ("bad_count", out() / IP_OUT / UDP_OUT / actions(7, 9, PING, count=2)),
    ("bad_player", out() / IP_OUT / UDP_OUT / actions(PLAYERS, 9, PING)),
    ("bad_action", out() / IP_OUT / UDP_OUT / actions(7, 9, 99)),
    ("short_header", out() / IP_OUT / UDP_OUT / Raw(b"\x56\x01\x01")),
    ("xdp_to_kernel", out() / IP_OUT / UDP(sport=5555, dport=PORT + 1) / actions(7, 9, PING)),
    ("bad_udp_checksum", out() / IP_OUT / UDP(sport=5555, dport=PORT, chksum=0x1234) / actions(7, 9, PING)),
    ("bad_ip_checksum", out() / IP(src=CLIENT, dst=SERVER, chksum=0x1234) / UDP_OUT / actions(7, 9, PING)),
    ("xdp_bad_udp_length", out() / IP_OUT / UDP(sport=5555, dport=PORT, len=500) / actions(7, 9, PING)),
    ("xdp_fragment", out() / IP(src=CLIENT, dst=SERVER, flags="MF") / UDP_OUT / actions(7, 9, PING)),
    ("xdp_to_kernel", out() / IP(src=CLIENT, dst="10.99.0.77") / UDP_OUT / actions(7, 9, PING)),
    ("xdp_to_kernel", out() / IP(src=CLIENT, dst=SERVER, proto=6) / Raw(bytes(40))),
    ("xdp_to_kernel", Ether(src=CLIENT_MAC, dst=SERVER_MAC, type=0x88cc) / Raw(bytes(46))),
]


def check_good(link):
    wrong = 0
    for name, frame, expected in GOOD:
        answer, expected = exchange(link, frame), bytes(expected)
        # ARP's answer may be padded to Ethernet's minimum.
        if answer is None or answer[:len(expected)] != expected or answer[len(expected):].strip(b"\0"):
            wrong += 1
            print(f"{name}: expected {expected.hex()}\n{' ' * len(name)}       got {answer.hex() if answer else 'nothing'}")
    return wrong


def check_bad(link, server):
    wrong = 0
    for reason, frame in BAD:
        before = drops(server)[reason]
        answer, counted = exchange(link, frame, 0.1), drops(server)[reason] - before
        if answer is not None or counted != 1:
            wrong += 1
            print(f"{reason}: expected silence and 1 counted, got {answer.hex() if answer else 'silence'} and {counted}")
    return wrong


def main():
    appliance.veth(NIC, PEER, **{NIC: SERVER_MAC, PEER: CLIENT_MAC})
    for name in (NIC, PEER):
        appliance.run(f"ethtool -K {name} tx off rxvlan off txvlan off")
    with tempfile.TemporaryDirectory(prefix="veltrix-wire-") as folder:
        port = f'kind = "af_xdp", target = "{NIC}", owned = true, addresses = {{ "{SERVER}", "{SERVER_6}" }}, queues = 1, descriptors = 1024'
        with appliance.Appliance(folder, port, players=PLAYERS) as server:
            link = conf.L2socket(iface=PEER)
            wrong = check_good(link) + check_bad(link, server)
    print(f"{len(GOOD) + len(BAD) - wrong} of {len(GOOD) + len(BAD)} frames as expected")
    return 0 if wrong == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
