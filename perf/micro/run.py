"""Parse, ring hop, shard step, netcode's seals and formula batch, each beside a reference of the same run; and the machine's own
pauses. Cycles are TSC cycles an item, medians of rounds."""
import argparse
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "perf"
PROGRAMS = {"parse": "a frame parsed and its payload checked, cycles a packet",
            "ring": "a 64-byte event through a ring, cycles an event; with 40 shards those of all cores that take part",
            "shard": "vx_shard_step(), cycles an event",
            "rules": "a source against bans and its token bucket, cycles a lookup or a packet",
            "netcode": "ChaCha20-Poly1305 under 120,000 different keys, cycles a message"}


def arguments():
    parser = argparse.ArgumentParser(prog="perf/micro/run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cpus", default="0,1", help="two cores: the benchmark's own, and another for a second thread or process")
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


def rows_of(program, options):
    """(key, value, sentence) of each case."""
    command = [BUILD / "micro" / f"vx_bench_{program}", "--rounds", str(options.rounds), "--cpus", options.cpus]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in output.splitlines():
        key, value, sentence = line.split("\t")
        yield key, float(value), sentence


def show(program, options, figures):
    print(f"\n{PROGRAMS[program]}\n{'':34}{'cycles':>9}{'/reference':>12}")
    reference = None
    for key, value, sentence in rows_of(program, options):
        reference = value if "reference" in key else reference
        ratio = f"{value / reference:.2f}" if reference else ""
        print(f"{key:34}{value:9.1f}{ratio:>12}  {sentence}")
        figures[key] = value


def show_formulas(options, figures):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run([BUILD / "formula" / "vx_bench_formula", "--repeats", str(min(options.rounds, 101)), "--cpu", options.cpus.split(",")[1], "--json", file.name],
                       stdout=subprocess.DEVNULL, check=True)
        found = json.load(open(file.name))
    print("\na formula's job, nanoseconds in the worker, full batches (wanted: at most 20)")
    for key, value in found.items():
        print(f"{key:34}{value:9.1f}")
    figures.update(found)


def show_pass(options, figures):
    """One core's whole pass without a device, and where its cycles go."""
    command = [BUILD / "micro" / "vx_bench_pass", "--rounds", str(min(options.rounds, 31)), "--burst", "64"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    print("\nvx_io_receive, vx_shard_lcore_step, vx_io_send: MOVE and PING of 120,000 players on 40 shards, bursts of 64, cycles a packet")
    for key, name in {"cycles_per_packet": "pass", "receive": "pass_receive", "step": "pass_step", "send": "pass_send"}.items():
        figures[name + "_cycles"] = found[key]
        print(f"{name + '_cycles':34}{found[key]:9.1f}")


def show_pauses(options, figures):
    cpu = options.cpus.split(",", maxsplit=1)[0]
    found = json.loads(subprocess.run([BUILD / "micro" / "vx_twin_loop", "--cpu", cpu, "--seconds", "2"], stdout=subprocess.PIPE, text=True, check=True).stdout)
    print("\nan empty loop's longest gap in each millisecond, microseconds")
    for key, value in found.items():
        print(f"{'twin_' + key:34}{value:9.1f}")
    figures.update({"twin_" + key: value for key, value in found.items()})


def main():
    options = arguments()
    figures = {}
    model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    print(f"{model}, cpus {options.cpus}, medians of {options.rounds} rounds")
    for program in PROGRAMS:
        show(program, options, figures)
    show_pass(options, figures)
    show_formulas(options, figures)
    show_pauses(options, figures)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


main()
