"""tshark, with the dissectors: the annotated packets of docs/protocol.md are what the page says they are; a netcode session,
written by the Python that shares nothing with lib/netcode, is shown, and opened by its keys; and the Lua that opens it gives
what RFC 8439 and libsodium give."""
import pathlib
import random
import re
import subprocess
import sys
import tempfile

from scapy.all import IP, UDP, Ether, Raw, wrpcap

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "interop"))
import netcode_wire as wire  # noqa: E402

CLIENT, SERVER = ("10.0.0.2", 5000), ("10.0.0.1", 40000)
PROTOCOL = 0x1122334455667788


def documented_packets():
    packets, current = [], b""
    for line in (ROOT / "docs" / "protocol.md").read_text().splitlines():
        found = re.match(r"    ((?:[0-9a-f]{2}[ ]{1,2})+)", line + "  ")
        if found:
            current += bytes.fromhex(found.group(1))
        elif current:
            packets.append(current)
            current = b""
    return packets


def tshark(folder, packets, fields, *options):
    """Each packet's fields; packets are (from, to, payload)."""
    path = f"{folder}/packets.pcap"
    wrpcap(path, [Ether() / IP(src=source[0], dst=to[0]) / UDP(sport=source[1], dport=to[1]) / Raw(payload) for source, to, payload in packets])
    command = ["tshark", "-X", f"lua_script:{ROOT}/lua/wireshark/veltrix.lua", *options, "-r", path, "-T", "fields"]
    shown = subprocess.run(command + [word for field in fields for word in ("-e", field)], capture_output=True, text=True, check=True)
    assert "Lua" not in shown.stderr, shown.stderr
    return [line.split("\t") for line in shown.stdout.splitlines()]


def check_rows(shown, expected):
    assert len(shown) == len(expected), shown
    for number, (row, want) in enumerate(zip(shown, expected), 1):
        assert row == want, f"packet {number}: tshark says {row}, expected {want}"


def plain(folder):
    packets = documented_packets()[:2]
    packets.append(packets[0][:40])  # cut in its second action
    shown = tshark(folder, [(CLIENT, SERVER, data) for data in packets],
                   ["_ws.col.Protocol", "_ws.col.Info", "veltrix.player", "veltrix.a", "veltrix.action_number", "_ws.expert.message"])
    check_rows(shown[:2], [["VELTRIX", "player 7: MOVE PING", "7", "100,0", "", ""], ["VELTRIX", "player 7: OK PONG", "7", "", "41,42", ""]])
    assert shown[2][5] == "length contradicts the count", shown[2]
    return 3


def netcode_session():
    """Packets of one session, and its token. The last two are somebody else's."""
    token = wire.issue(7, [SERVER], PROTOCOL, bytes(32), now=1000)
    actions, answer = documented_packets()[:2]
    up, down = token.client_key, token.server_key
    steps = [(CLIENT, SERVER, token.request()), (SERVER, CLIENT, wire.packet(wire.CHALLENGE, 1 << 63, (9).to_bytes(8, "little") + bytes(300), down, PROTOCOL)),
             (CLIENT, SERVER, wire.packet(wire.RESPONSE, 0, (9).to_bytes(8, "little") + bytes(300), up, PROTOCOL)),
             (SERVER, CLIENT, wire.packet(wire.KEEP_ALIVE, 0, bytes([5, 0, 0, 0, 0, 1, 0, 0]), down, PROTOCOL)),
             (CLIENT, SERVER, wire.packet(wire.PAYLOAD, 1000, actions, up, PROTOCOL)), (SERVER, CLIENT, wire.packet(wire.PAYLOAD, 2**40, answer, down, PROTOCOL)),
             (SERVER, CLIENT, wire.packet(wire.PAYLOAD, 2, b"not ours", down, PROTOCOL)), (CLIENT, SERVER, wire.packet(wire.DISCONNECT, 70000, b"", up, PROTOCOL)),
             (CLIENT, SERVER, wire.packet(wire.PAYLOAD, 5, actions, bytes(32), PROTOCOL))]
    return steps, token


FIELDS = ["_ws.col.Protocol", "_ws.col.Info", "netcode.type", "netcode.sequence", "netcode.from_client", "netcode.client_index", "netcode.challenge_sequence",
          "veltrix.player", "netcode.data", "_ws.expert.message"]
HIDDEN = [["NETCODE", "REQUEST, protocol id 0x1122334455667788, expires 1045", "0", "", "", "", "", "", "", ""],
          ["NETCODE", "CHALLENGE 9223372036854775808", "2", str(1 << 63), "", "", "", "", "", ""], ["NETCODE", "RESPONSE 0", "3", "0", "", "", "", "", "", ""],
          ["NETCODE", "KEEP_ALIVE 0", "4", "0", "", "", "", "", "", ""], ["NETCODE", "PAYLOAD 1000", "5", "1000", "", "", "", "", "", ""],
          ["NETCODE", f"PAYLOAD {2**40}", "5", str(2**40), "", "", "", "", "", ""], ["NETCODE", "PAYLOAD 2", "5", "2", "", "", "", "", "", ""],
          ["NETCODE", "DISCONNECT 70000", "6", "70000", "", "", "", "", "", ""], ["NETCODE", "PAYLOAD 5", "5", "5", "", "", "", "", "", ""]]


def row_with(row, **shown):
    return [shown.get(field.split(".")[-1].lower(), value) for field, value in zip(FIELDS, row)]


def netcode(folder):
    steps, token = netcode_session()
    check_rows(tshark(folder, steps, FIELDS), HIDDEN)
    (pathlib.Path(folder) / "keys").write_text(f"# one session\n\n7 {'00' * 32} {'11' * 32}\n  0x{PROTOCOL:x} {token.client_key.hex()} {token.server_key.hex()} # ours\n")
    opened = [HIDDEN[0], row_with(HIDDEN[1], from_client="0", challenge_sequence="9"), row_with(HIDDEN[2], from_client="1", challenge_sequence="9"),
              row_with(HIDDEN[3], from_client="0", client_index="5"), row_with(HIDDEN[4], protocol="VELTRIX", info="player 7: MOVE PING", from_client="1", player="7"),
              row_with(HIDDEN[5], protocol="VELTRIX", info="player 7: OK PONG", from_client="0", player="7"),
              row_with(HIDDEN[6], from_client="0", data=b"not ours".hex()), row_with(HIDDEN[7], from_client="1"),
              row_with(HIDDEN[8], message="no key of netcode.keys opens this packet")]
    check_rows(tshark(folder, steps, FIELDS, "-o", f"netcode.keys:{folder}/keys"), opened)
    # Joined in the middle: no request was seen, but a key fits.
    check_rows(tshark(folder, steps[4:5], FIELDS, "-o", f"netcode.keys:{folder}/keys"), opened[4:5])
    assert tshark(folder, steps[4:5], ["_ws.col.Protocol"])[0] == ["UDP"]
    (pathlib.Path(folder) / "keys").write_text("0x5658 short\n")
    assert "expected a protocol id and two keys" in tshark(folder, steps[:2], ["_ws.expert.message"], "-o", f"netcode.keys:{folder}/keys")[1][0]
    return 3 * len(steps)


def documented_keep_alive(folder):
    """The annotated packet of netcode, which is one of the reference implementation's golden ones."""
    key = bytes((7 * i + 1) % 256 for i in range(32)).hex()
    (pathlib.Path(folder) / "keys").write_text(f"0x{PROTOCOL:x} {'00' * 32} {key}\n")
    data, = documented_packets()[2:]
    shown = tshark(folder, [(SERVER, CLIENT, data)], ["netcode.type", "netcode.sequence", "netcode.client_index", "netcode.clients_max"], "-o", f"netcode.keys:{folder}/keys")
    check_rows(shown, [["4", str(0x44556677), "10", "16"]])
    return 1


RFC_8439_2_8_2 = ("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
                  "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                  "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
                  b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.".hex())
DRIVER = """
local aead = dofile("%s")
local function unhex(text) return (text:gsub("..", function(two) return string.char(tonumber(two, 16)) end)) end
local function hex(text) return text and (text:gsub(".", function(c) return string.format("%%02x", c:byte()) end)) or "refused" end
for line in io.lines("%s") do
    local key, nonce, aad, sealed = line:match("^(.-),(.-),(.-),(.-)$")
    print("result " .. hex(aead.open(unhex(key), unhex(nonce), unhex(aad), unhex(sealed))))
end
"""


def lua_opens_what_libsodium_seals(folder):
    drawn = random.Random(8)
    cases = [(*RFC_8439_2_8_2[:4], RFC_8439_2_8_2[4]), ("ff" * 32, "ff" * 12, "", wire.bindings.crypto_aead_chacha20poly1305_ietf_encrypt(b"", b"", b"\xff" * 12, b"\xff" * 32).hex(), "")]
    for length in [*range(0, 140), 1199, 1200, 1208]:
        key, nonce, aad, text = drawn.randbytes(32), drawn.randbytes(12), drawn.randbytes(drawn.randint(0, 40)), drawn.randbytes(length)
        sealed = wire.bindings.crypto_aead_chacha20poly1305_ietf_encrypt(text, aad, nonce, key)
        cases.append((key.hex(), nonce.hex(), aad.hex(), sealed.hex(), text.hex()))
        spoilt = bytearray(sealed)
        spoilt[drawn.randrange(len(spoilt))] ^= 1 << drawn.randrange(8)
        cases.append((key.hex(), nonce.hex(), aad.hex(), spoilt.hex(), "refused"))
    (pathlib.Path(folder) / "cases").write_text("".join(",".join(case[:4]) + "\n" for case in cases))
    (pathlib.Path(folder) / "driver.lua").write_text(DRIVER % (f"{ROOT}/lua/wireshark/chacha20poly1305.lua", f"{folder}/cases"))
    wrpcap(f"{folder}/empty.pcap", [Ether()])
    shown = subprocess.run(["tshark", "-X", f"lua_script:{folder}/driver.lua", "-r", f"{folder}/empty.pcap"], capture_output=True, text=True, check=True).stdout
    results = [line.removeprefix("result ") for line in shown.splitlines() if line.startswith("result ")]
    assert len(results) == len(cases), shown[:500]
    for case, result in zip(cases, results):
        assert result == case[4], (case, result)
    return len(cases)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for check in (plain, netcode, documented_keep_alive, lua_opens_what_libsodium_seals):
            print(f"{check.__name__}: {check(folder)} as expected")


sys.exit(main())
