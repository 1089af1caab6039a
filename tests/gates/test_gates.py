"""That a gate can fail: a finding that no row accepts, a row that nothing matches, a package that the security suite has newer."""
import importlib.machinery
import importlib.util
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("gates", str(ROOT / "tools/gates"))
gates = importlib.util.module_from_spec(importlib.util.spec_from_loader("gates", loader))
loader.exec_module(gates)
import sbom  # noqa: E402
import table  # noqa: E402

FOUND = "../lib/wire/frame.c:10:3: warning: dereference of NULL 'x' [CWE-476] [-Wanalyzer-null-dereference]"
POLICY = """libssl3:
  Installed: 3.0.15-1~deb12u1
  Candidate: 3.0.17-1~deb12u2
  Version table:
     3.0.17-1~deb12u2 500
        500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
     3.0.16-1~deb12u1 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
 *** 3.0.15-1~deb12u1 100
        100 /var/lib/dpkg/status
"""


def judged(text, rows):
    table.ACCEPTED = rows
    try:
        return gates.judge("analyzer", text)
    except gates.Failed as why:
        return "failed: " + str(why)


def main():
    row = ("analyzer", "lib/wire/frame.c", "null-dereference", "because")
    assert judged("", []).startswith("no finding")
    assert judged("In file included from lib/wire/frame.c:3:\nsome note", []).startswith("no finding")
    assert "lib/wire/frame.c:10" in judged(FOUND, [])
    assert judged(FOUND, [row]) == "no finding, 1 accepted"
    assert "nothing finds it any more" in judged("", [row])
    assert "lib/wire/frame.c:10" in judged(FOUND, [("tidy", *row[1:])])
    for line in ("lib/base/base.c:1: error: Memory leak: raw [memleak]", f"{ROOT}/lib/base/base.c:1:2: error: integer [misc-x,-warnings-as-errors]"):
        assert "1 findings" in judged(line, []), line
    assert sbom.security_versions(POLICY) == ["3.0.17-1~deb12u2"]
    assert sbom.security_versions(POLICY.replace("debian-security bookworm-security", "debian bookworm-updates")) == []
    print("gates can fail")


if __name__ == "__main__":
    main()
