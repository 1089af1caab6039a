"""tshark, with the dissector, shows the annotated packets of docs/protocol.md as what the page says they are."""
import pathlib
import re
import subprocess
import sys
import tempfile

from scapy.all import IP, UDP, Ether, Raw, wrpcap

ROOT = pathlib.Path(__file__).resolve().parents[2]


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


def main():
    packets = documented_packets()
    assert len(packets) == 2, f"docs/protocol.md has {len(packets)} annotated packets, expected 2"
    packets.append(packets[0][:40])  # cut in its second action
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/packets.pcap"
        wrpcap(path, [Ether() / IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=5000, dport=40000) / Raw(payload) for payload in packets])
        shown = subprocess.run(["tshark", "-X", f"lua_script:{ROOT}/lua/wireshark/veltrix.lua", "-r", path, "-T", "fields", "-e", "_ws.col.Protocol", "-e", "_ws.col.Info",
                                "-e", "veltrix.player", "-e", "veltrix.a", "-e", "veltrix.action_number", "-e", "_ws.expert.message"],
                               capture_output=True, text=True, check=True).stdout.splitlines()
    expected = ["VELTRIX\tplayer 7: MOVE PING\t7\t100,0\t\t", "VELTRIX\tplayer 7: OK PONG\t7\t\t41,42\t"]
    for line, want in zip(shown, expected):
        assert line.rstrip() == want.rstrip(), f"tshark says {line!r}, expected {want!r}"
    assert "length contradicts the count" in shown[2], shown[2]
    print("dissector: 3 packets shown as documented")


sys.exit(main())
