"""`meson install` as a packager calls it (DESTDIR): what must be there is there, and the installed veltrixd starts with the installed
configuration as it is, finds worker, runtime and formulas by itself, makes its folders, and matches are played. Runs in a mount
namespace of its own (unshare -m), where /run and /var/lib are empty."""
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import appliance

BUILD = appliance.APP.parent
EXPECTED = """sbin/veltrixd bin/veltrixctl bin/veltrix-load bin/veltrix-player bin/veltrix-doctor libexec/veltrix/veltrix-formula-worker
    share/veltrix/formulas/battle.lua share/veltrix/runtime/batch.lua share/veltrix/wireshark/veltrix.lua etc/veltrix/veltrix.lua
    etc/veltrix/environment lib/systemd/system/veltrix.service include/veltrix/vx_client.h share/doc/veltrix/operations.md
    share/doc/veltrix/config/c5-metal.lua share/doc/veltrix/README.md share/man/man1/veltrixctl.1 share/man/man8/veltrixd.8
    share/bash-completion/completions/veltrixctl""".split()


def installed(folder):
    """The prefix, inside of folder."""
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder], check=True, stdout=subprocess.DEVNULL)
    options = json.loads(subprocess.run(["meson", "introspect", "--buildoptions", BUILD], check=True, capture_output=True).stdout)
    return folder / next(option["value"] for option in options if option["name"] == "prefix").lstrip("/")


def plays(prefix):
    """The report of veltrix-load against the installed veltrixd."""
    daemon = subprocess.Popen([prefix / "sbin/veltrixd", "--config", prefix / "etc/veltrix/veltrix.lua", "--no-huge"], stdout=subprocess.PIPE, text=True)
    try:
        assert "ready" in daemon.stdout.readline(), "the installed veltrixd does not start with its installed configuration"
        report = prefix / "report.json"
        subprocess.run([prefix / "bin/veltrix-load", "--memif", "/run/veltrix/memif.sock", "--no-huge", "--quiet", "--players", "2000", "--seconds", "3",
                        "--cpu", str(appliance.OTHER_CPU), "--json", report], check=True, stdout=subprocess.DEVNULL)
        status = subprocess.run([prefix / "bin/veltrixctl", "--json", "status"], check=True, capture_output=True).stdout
        assert json.loads(status)["accounts_balance"]
        return json.loads(report.read_text())
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=30) == 0


def says_what_the_program_says(prefix):
    """The man pages have every command and every setting; the completion completes."""
    commands = json.loads(subprocess.run([prefix / "sbin/veltrixd", "--commands"], check=True, capture_output=True).stdout)["commands"]
    settings = subprocess.run([prefix / "sbin/veltrixd", "--print", "settings"], check=True, capture_output=True, text=True).stdout.splitlines()[2:]
    pages = (prefix / "share/man/man1/veltrixctl.1").read_text() + (prefix / "share/man/man8/veltrixd.8").read_text()
    missing = [name for name in [command["name"] for command in commands] + [row.split("`")[1] for row in settings] if f".B {name}" not in pages]
    assert not missing, f"not in the man pages: {missing}"
    script = f". {prefix}/share/bash-completion/completions/veltrixctl; COMP_WORDS=(veltrixctl --json shard dr); COMP_CWORD=3; _veltrixctl; echo ${{COMPREPLY[@]}}"
    assert subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout.strip() == "drain"


def main():
    for folder in ("/run", "/var/lib"):
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    with tempfile.TemporaryDirectory(prefix="veltrix-install-") as name:
        prefix = installed(pathlib.Path(name))
        missing = [path for path in EXPECTED if not (prefix / path).exists()]
        if missing:
            sys.exit(f"not installed: {missing}")
        says_what_the_program_says(prefix)
        report = plays(prefix)
        assert report["matches"] > 0 and report["grants"] > 0, report
        print(f"{len(EXPECTED)} files looked for; {report['matches']} matches, {report['grants']} grants")


if __name__ == "__main__":
    main()
