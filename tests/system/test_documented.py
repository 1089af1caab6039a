"""Every command that README and docs/ show on an indented line is run as it stands, or in the shorter form that HOW
gives: same program, same options, fewer seconds. A command that is documented and not known here fails the test."""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile

import appliance

ROOT = appliance.ROOT
PAGES = [ROOT / "README.md", ROOT / "docs" / "tokens.md", *sorted((ROOT / "docs").glob("*.md"))]  # tokens first: other pages use them
PROGRAM = re.compile(r"(?:tools|perf|build)/[\w/.-]+|veltrix[\w-]*|meson|tshark|ninja|ip|ethtool|dpdk-\S+|systemctl|journalctl|sqlite3")
RING = 'kind = "ring", addresses = { "10.0.0.1" }'


def documented():
    """(where, command) of each indented line that begins with a program; what follows two spaces is an explanation."""
    seen = set()
    for page in PAGES:
        for number, line in enumerate(page.read_text().splitlines(), 1):
            found = re.match(r"    (\S.*)", line)
            command = re.split(r"  +|\s#\s", found.group(1))[0].strip() if found else ""
            if command and PROGRAM.fullmatch(command.split()[0]) and command not in seen:
                seen.add(command)
                yield f"{page.relative_to(ROOT)}:{number}", command


class Place:
    """A folder that stands for /etc/veltrix, an appliance to ask, and the build's programs on the path."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.appliance = appliance.Appliance(folder, RING)
        programs = [str(path) for path in appliance.APP.iterdir() if path.is_dir()]
        self.environment = {**os.environ, "PATH": ":".join([*programs, os.environ["PATH"]])}

    def words(self, command):
        words = shlex.split(command.replace("/etc/veltrix", str(self.folder)).replace("FOLDER", f"{ROOT}/lua/formulas"))
        if words[0] == "veltrixctl":
            words[1:1] = ["--socket", f"{self.folder}/control.sock"]
        return words

    def run(self, command, cwd=ROOT, timeout=150):
        done = subprocess.run(self.words(command), cwd=cwd, env=self.environment, capture_output=True, text=True, check=False, timeout=timeout)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        return done.stdout


def as_it_stands(place, command):
    place.run(command, cwd=place.folder)


def in_the_tree(place, command):
    place.run(command)


def shortened(*more, keys=(), says=""):
    """The command with options that make it short, and what its output or its --json file must have."""
    def run(place, command):
        output = place.run(re.sub(r"--json \S+", f"--json {place.folder}/figures.json", " ".join([command, *more])))
        assert says in output, f"lacks '{says}': {output[-1000:]}"
        figures = json.loads((place.folder / "figures.json").read_text()) if keys else {}
        missing = [key for key in keys if key not in figures]
        assert not missing, f"its JSON lacks {missing}"
    return run


def daemon(place, command):
    """Runs it as it stands until it is ready, then stops it."""
    words = re.sub(r"--config \S+", f"--config {place.folder}/other.lua", command)
    text = (place.folder / "veltrix.lua").read_text()
    (place.folder / "other.lua").write_text(text.replace("control.sock", "other.sock").replace("ledger.db", "other.db"))
    process = subprocess.Popen(place.words(words), env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert "ready" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def run_by_ci(*tests):
    """CI runs it anyway: as itself, or as these tests, which must exist."""
    def run(_, __):
        listed = subprocess.run(["meson", "introspect", "--tests", str(appliance.APP.parent)], capture_output=True, text=True, check=True).stdout
        missing = {*tests} - {test["name"] for test in json.loads(listed)}
        assert not missing, f"there are no tests {missing}"
    return run


DEMO_KEYS = ("players", "shards", "actions_sent", "actions_unaccounted", "answers_wrong", "chests_doubled", "matches", "grants", "veltrixd_resident_bytes",
             "latency_us_p50", "latency_us_p99", "latency_us_p999")
COMPARE_KEYS = ("bounce_over_testpmd", "games_over_testpmd", "bounce_over_sockets_per_core", "flatness_120000_over_1200", "residence_us_p50", "residence_us_p99",
                "residence_us_p999", "refused_over_accepted", "actions_per_packet", "pause_p999_over_twin", "bytes_per_player", "netcode_over_seal", "handshakes_per_second")
MICRO_KEYS = ("parse_ip4_cycles", "hop_cycles", "shards_2_producers_hts_cycles", "pass_cycles", "step_40_games_cycles", "formula_battle_ns_per_job")
HOW = [
    (r"tools/demo", shortened("--seconds 2 --players 2000 --shards 4 --rate 10000 --json demo.json", keys=DEMO_KEYS, says="demo: every account balances")),
    (r"tools/test|\.ci/run", run_by_ci()),
    (r"tools/(?:docs|build)", in_the_tree),
    (r"perf/compare --json \S+", shortened("--rounds 1 --seconds 0.4", keys=COMPARE_KEYS)),
    (r"perf/formula-patches --json \S+", run_by_ci("formula_patches")),
    (r"dpdk-telemetry\.py -f veltrixd-PID", run_by_ci("operators_metrics")),
    (r"perf/netcode --json \S+", run_by_ci("netcode_disturbed")),
    (r"perf/pktgen/pcaps build/pktgen .*", in_the_tree),
    (r"tools/qemu-nic", run_by_ci("emulated_nic")),
    (r"perf/micro/run --json \S+", shortened("--rounds 1", keys=MICRO_KEYS)),
    (r"build/perf/formula/vx_bench_formula --formulas FOLDER", shortened("--repeats 3 --batches 200", says="battle")),
    (r"build/perf/match/vx_bench_match --rounds 1", in_the_tree),
    (r"meson test -C build formula formula_faults formula_runtime formula_contain", run_by_ci("formula", "formula_faults", "formula_runtime", "formula_contain")),
    (r"veltrix-player --token FILE(?: --auto)?", run_by_ci("interop_player")),
    (r"meson install -C build", run_by_ci("install")),
    (r"systemctl enable --now veltrix|veltrix-load --memif /run/veltrix/memif\.sock .*", run_by_ci("package")), # the commands of README's packages
    (r"tools/package", run_by_ci("package")),
    (r"veltrix-doctor(?: --jitter 5)?", run_by_ci("doctor")),
    (r"tools/gates.*", run_by_ci("gates", "gate_cppcheck", "threads", "hardening")),
    (r"tools/mutants", run_by_ci("mutants_apply", "mutants_two")),
    (r"tools/sim --seeds 1\.\.40", run_by_ci("sim_seeds")),
    (r"veltrixd --config \S+(?: --no-huge)?", daemon),
    (r"veltrixctl formula push battle\.lua .*", run_by_ci("operators_formula")),
    (r"veltrixctl formula record .*|veltrixctl formula try .* --jobs .*", run_by_ci("operators_try")),
    (r"veltrixctl formula try .*", in_the_tree),
    (r"veltrixctl plan --host \S+", in_the_tree),
    (r"(?:veltrixd|veltrixctl) .*", as_it_stands),
]


def check(place, command):
    how = [run for pattern, run in HOW if re.fullmatch(pattern, command)]
    assert how, "is documented, and tests/system/test_documented.py does not say how to run it"
    how[0](place, command)


def main():
    failed = count = 0
    with tempfile.TemporaryDirectory(prefix="veltrix-documented-") as folder:
        place = Place(folder)
        with place.appliance:
            for where, command in documented():
                count += 1
                try:
                    check(place, command)
                    print(f"{where}: {command}: as documented", flush=True)
                except (AssertionError, subprocess.TimeoutExpired) as error:
                    failed += 1
                    print(f"{where}: {command}: {error}", flush=True)
    print(f"{count - failed} of {count} documented commands do what they should")
    return 1 if failed or count < 10 else 0


sys.exit(main())
