"""What the built programs are hardened with, as their ELF tables say: position-independent, no executable stack, relocations
read-only before main(), stack canaries and checked libc calls outside of the data plane; nothing is found on a path of the build's."""
import pathlib
import subprocess
import sys


def readelf(program, *options):
    return subprocess.run(["readelf", "-W", *options, program], check=True, capture_output=True, text=True).stdout


def lacks(program):
    header, segments, dynamic, symbols = (readelf(program, option) for option in ("-h", "-l", "-d", "--dyn-syms"))
    stack = next((line for line in segments.splitlines() if "GNU_STACK" in line), "RWE")
    held = {
        "a position-independent executable": "DYN" in header,
        "read-only relocations": "GNU_RELRO" in segments,
        "binding at start": "BIND_NOW" in dynamic or "NOW" in dynamic,
        "a stack that is not executable": "RWE" not in stack,
        "stack canaries": "__stack_chk_fail" in symbols,
        "checked libc calls": "_chk@" in symbols,
        "segments that are not writable and executable at once": not any(" RWE " in line for line in segments.splitlines() if "LOAD" in line),
        "no search path of its own": "RPATH" not in dynamic and "RUNPATH" not in dynamic,
    }
    return [what for what, is_held in held.items() if not is_held]


def main():
    build, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    wrong = {name: lacks(build / "app" / name / name) for name in names}
    for name, missing in wrong.items():
        for what in missing:
            print(f"{name} lacks {what}")
    print(f"{sum(not missing for missing in wrong.values())} of {len(names)} programs are hardened")
    return any(wrong.values())


if __name__ == "__main__":
    sys.exit(main())
