"""Writes the seeds of tests/fuzz/corpus, from the standard's text (tests/interop/netcode_wire.py): one of each packet and
token, and each edge. usage: corpus_make.py FOLDER"""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import netcode_wire as wire  # noqa: E402

KEY, PROTOCOL, NOW = bytes(range(1, 33)), 0x5658, 1000000
BODIES = {wire.DENIED: b"", wire.CHALLENGE: bytes(308), wire.RESPONSE: bytes(308), wire.KEEP_ALIVE: bytes(8), wire.PAYLOAD: b"action", wire.DISCONNECT: b""}
HEADER = struct.Struct("<4BIII")


def token(servers):
    private = wire.PrivateToken(7, 10, servers, bytes(32), bytes(32), wire.user_data(latencies=[(1, 20)]))
    nonce = bytes(24)
    return wire.ConnectToken(PROTOCOL, NOW, NOW + 45, nonce, private.sealed(PROTOCOL, NOW + 45, nonce, KEY), 10, servers, bytes(32), bytes(32)), private


def actions(count, kind=10):
    return HEADER.pack(0x56, 1, count, 0, 7, 1, 0) + b"".join(struct.pack("<BBHIII", kind, 0, 0, 0, 0, 0) for _ in range(count))


def seeds():
    servers = [("10.0.0.1", 40000)]
    most = [("fd00::1", 40000 + i) for i in range(32)]
    yield "netcode_packet", "request", b"\0" + token(servers)[0].request()
    for kind, body in BODIES.items():
        yield "netcode_packet", f"sealed_{kind}", b"\0" + wire.packet(kind, 0x1234, body, KEY, PROTOCOL)
        yield "netcode_packet", f"body_{kind}", struct.pack("<BBQ", 1, kind - 1, 2**64 - 1) + body
    yield "netcode_packet", "longest", struct.pack("<BBQ", 1, 4, 0) + bytes(1200)
    yield "netcode_packet", "empty", b"\0"
    for name, addresses in ("one", servers), ("most", most):
        public, private = token(addresses)
        yield "netcode_token", f"token_{name}", b"\0" + public.to_bytes()
        yield "netcode_token", f"private_{name}", b"\1" + private.to_bytes()
    yield "netcode_token", "user", b"\2" + wire.user_data(shard=3, party=9, party_size=4, latencies=[(i, 10 * i) for i in range(1, 9)])
    yield "netcode_token", "challenge", b"\3" + wire.challenge_sealed(7, wire.user_data(), 300, KEY)
    yield "netcode_payload", "ping", actions(1)
    yield "netcode_payload", "sixteen", actions(16, 5)
    yield "netcode_payload", "seventeen", actions(17)
    yield "netcode_payload", "one_byte", b"\x56"


# The script of fuzz_netcode_session: client + 4 * step, and what the step takes.
NEXT, RAW, SEALED, AGAIN, TWICE, VERDICT, TIME, SEND, TOKEN = range(0, 36, 4)


def scripts():
    connect = bytes([NEXT, VERDICT, NEXT, VERDICT])
    ping = bytes([SEALED, 4, 1]) + actions(1)
    ping_of_nobody = ping.replace(b"\7\0\0\0", b"\0\0\0\0", 1)
    yield "play", connect + ping_of_nobody + bytes([NEXT, SEND, 40, TIME, 255, 1, NEXT, AGAIN, 0, AGAIN, 1, 3, 3, TWICE])
    yield "leave", connect + bytes([SEALED, 5, 1, TIME, 10, 0, TOKEN, 1, 0]) + connect
    yield "time_out", connect + bytes([TIME, 255, 15, TIME, 255, 15, NEXT, TOKEN, 2, 1]) + connect
    yield "full", b"".join(bytes([NEXT + i, VERDICT, NEXT + i, VERDICT]) for i in range(4)) + bytes([TIME, 200, 5])
    yield "late", bytes([NEXT, NEXT + 1, NEXT + 2, NEXT + 3, TIME, 100, 15, *[VERDICT] * 4, NEXT, NEXT, NEXT + 1, *[VERDICT] * 3])
    yield "noise", connect + bytes([RAW, 30, *range(0x50, 0x6f), RAW, 0, 0x56])


def main():
    for name, data in scripts():
        folder = pathlib.Path(sys.argv[1]) / "netcode_session"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for target, name, data in seeds():
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


main()
