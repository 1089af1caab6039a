"""The Debian packages as an operator meets them: built, installed, README's commands from the installed package to the first match, removed,
purged, and nothing left. In a mount namespace of its own (unshare -m) over a copy-on-write view of this machine's files, so that
the real dpkg, adduser and maintainer scripts run and this machine stays as it is. systemd is not process 1 there: the daemon
is started as the unit says, by its ExecStart, user, group, directories and capabilities."""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = "usr/lib/systemd/system/veltrix.service"
COMMANDS_MAX = 5


class Machine:
    """This machine's files as they are, with all changes in a folder of their own."""

    def __init__(self, folder):
        self.upper, self.root = folder / "changes", folder / "root"
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
        for each in (self.upper, self.root, folder / "work"):
            each.mkdir()
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={self.upper},workdir={folder}/work", "none", self.root], check=True)
        for each in ("proc", "sys", "dev"):
            subprocess.run(["mount", "--rbind", f"/{each}", self.root / each], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", self.root / "run"], check=True)

    def words(self, *words):
        return ["chroot", self.root, *map(str, words)]

    def run(self, *words, codes=(0,)):
        done = subprocess.run(self.words(*words), capture_output=True, text=True, check=False, timeout=60, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"})
        assert done.returncode in codes, f"{' '.join(map(str, words))}: exit {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}"
        return done.stdout

    def ours(self):
        """What of ours has been written and not been taken away again (deletions are character devices 0:0). man's cache is its own:
        `systemd-analyze verify` has it show the unit's page."""
        written = [path.relative_to(self.upper) for path in self.upper.rglob("*veltrix*") if not path.is_char_device()]
        return [str(path) for path in written if path.parts[:3] != ("var", "cache", "man")]


def unit_values(text):
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.M))


def start(machine, daemons):
    """The daemon as systemd would start it."""
    unit = unit_values((machine.root / UNIT).read_text())
    for folder in (f"run/{unit['RuntimeDirectory']}", f"var/lib/{unit['StateDirectory']}"):
        (machine.root / folder).mkdir(parents=True, exist_ok=True)
        machine.run("chown", f"{unit['User']}:{unit['Group']}", f"/{folder}")
    environment = unit_values((machine.root / unit["EnvironmentFile"].lstrip("-/")).read_text())
    machine.run(*shlex.split(unit["ExecStartPre"]))
    words = [word for part in shlex.split(unit["ExecStart"]) for word in (shlex.split(environment[part[1:]]) if part.startswith("$") else [part])]
    capabilities = ",".join("+" + name[4:].lower() for name in unit["AmbientCapabilities"].split())
    become = ["setpriv", "--reuid", unit["User"], "--regid", unit["Group"], "--init-groups", "--inh-caps", f"-all,{capabilities}", "--ambient-caps", f"-all,{capabilities}", "--no-new-privs"]
    daemon = subprocess.Popen(machine.words(*become, *words, "--no-huge"), stdout=subprocess.PIPE, text=True)
    daemons.append(daemon)
    line = daemon.stdout.readline()
    assert "ready" in line, f"does not start as the unit says (exit {daemon.wait()})"
    assert os.stat(f"/proc/{daemon.pid}").st_uid == int(machine.run("id", "-u", unit["User"])), "does not run as the unit's user"


def commands():
    """README's indented lines below the heading about packages."""
    section = (ROOT / "README.md").read_text().split("## From a package to the first match\n", 1)[1].split("\n## ", 1)[0]
    return [re.split(r"  +", line.strip())[0] for line in section.splitlines() if line.startswith("    ")]


def first_match(machine, packages, daemons):
    """Runs them; what they start is appended to daemons. apt is replaced by dpkg, for there is no network; systemctl by start()."""
    todo = commands()
    assert 0 < len(todo) <= COMMANDS_MAX, todo
    for command in todo:
        print("run:", command, flush=True)
        words = shlex.split(command)
        if words[0] == "apt":
            machine.run("dpkg", "-i", *(f"/{path.name}" for path in packages))
        elif words[0] == "systemctl":
            assert words[1:] == ["enable", "--now", "veltrix"], command
            start(machine, daemons)
        else:
            output = machine.run(*words, codes=(0, 1) if words[0] == "veltrix-doctor" else (0,))
            print("\n".join(output.splitlines()[-3:]))
    status = json.loads(machine.run("veltrixctl", "--json", "status"))
    assert status["accounts_balance"] and status["ledger"]["grants_committed"] > 0, status["ledger"]  # chests of matches that were played


def verify_unit(machine):
    """systemd's own opinion; what it says of other units is not ours."""
    done = subprocess.run(machine.words("systemd-analyze", "verify", "/" + UNIT), capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "veltrix" in line and "man" not in line.lower()]
    assert not complaints, complaints
    print(machine.run("systemd-analyze", "security", "--offline=true", "/" + UNIT).splitlines()[-1])


def main():
    out = pathlib.Path(sys.argv[1])
    subprocess.run([ROOT / "tools/package", out], check=True)
    with tempfile.TemporaryDirectory(prefix="veltrix-package-", ignore_cleanup_errors=True) as name:
        machine = Machine(pathlib.Path(name))
        packages = sorted(out.glob("*.deb"))
        for path in packages:
            (machine.root / path.name).write_bytes(path.read_bytes())
        daemons = []
        try:
            first_match(machine, packages, daemons)
            verify_unit(machine)
            outsider = subprocess.run(machine.words("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "veltrixctl", "status"), capture_output=True, text=True, check=False)
            assert outsider.returncode == 4, outsider
            print("who is not in the group:", outsider.stderr.strip())
            daemons[0].send_signal(signal.SIGTERM)
            assert daemons[0].wait(timeout=30) == 0
            names = [path.name.split("_")[0] for path in packages]
            for path in packages:
                (machine.root / path.name).unlink()
            machine.run("dpkg", "--remove", *names)
            assert (machine.root / "etc/veltrix/veltrix.lua").exists() and (machine.root / "var/lib/veltrix/ledger.db").exists(), "remove must leave configuration and ledger"
            machine.run("dpkg", "--purge", *names)
            assert not machine.ours(), f"left after the purge: {machine.ours()}"
            assert "veltrix" not in (machine.root / "etc/passwd").read_text() + (machine.root / "etc/group").read_text()
            print("purged: nothing left")
        finally:
            for daemon in daemons:
                daemon.kill()
                daemon.wait()
            subprocess.run(["umount", "-R", "-l", name], check=False)


if __name__ == "__main__":
    main()
