"""What the data plane's objects call: no allocator, no text, no file, no lock, no sleep, no clock, by the linker's own
list of what each leaves undefined. test_allocations plays games and counts; this sees the branches that no game takes."""
import pathlib
import re
import subprocess
import sys

from data_plane import COLD_FILES, CREATION, HOT_FILES, is_hot

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORBIDDEN = re.compile(r"""
    .*alloc.* | (rte_|mi_)?free | mi_.* | brk | sbrk | mmap(64)? | munmap | mremap | madvise | rte_memzone_.*       # memory
  | .*printf.* | f?puts | f?putc | putchar | fwrite | fopen(64)? | fflush | perror | syslog | rte_v?log | vx_error_set # text
  | str[a-z]+ | .*scanf.* | atoi | atof | setlocale                                                               # strings
  | open(64)? | read | write | close | ioctl | send.* | recv.* | poll | select | epoll_.* | syscall | futex         # system calls
  | u?sleep | nanosleep | clock_.* | gettimeofday | time | rte_delay_.* | sched_.* | rand | random                  # time, chance
  | pthread_.* | sem_.* | mtx_.* | cnd_.*                                                                         # locks
""", re.VERBOSE)


def undefined(path):
    lines = subprocess.run(["nm", "--undefined-only", path], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line.strip()}


def objects_of(build, room):
    """By source, `room/file.c`; objects whose source is gone are left over from an earlier build."""
    for path in sorted((build / "lib" / room).glob("*.p/*.o")):
        name = path.name.removesuffix(".o")
        if (ROOT / "lib" / room / name).exists():
            yield f"{room}/{name}", path


def findings(build):
    rooms = sorted(path.name for path in (ROOT / "lib").iterdir())
    hot = {source: path for room in rooms for source, path in objects_of(build, room) if is_hot(source)}
    for source, path in hot.items():
        for symbol in sorted(undefined(path) - CREATION.get(source, set())):
            if FORBIDDEN.fullmatch(symbol):
                yield f"lib/{source} calls {symbol}: not on the data plane; what only creates belongs into a file that data_plane.py names"
    for source in [*CREATION, *HOT_FILES, *COLD_FILES]:
        if not (ROOT / "lib" / source).exists():
            yield f"lib/{source} is named in data_plane.py and does not exist"
    # The check itself: what it would say of a file of the control plane.
    formula = dict(objects_of(build, "formula"))
    caught = {symbol for file in ("memory.c", "process.c") for symbol in undefined(formula[f"formula/{file}"]) if FORBIDDEN.fullmatch(symbol)}
    if not {"mmap64", "munmap", "snprintf", "nanosleep"} <= caught:
        yield f"the check is blind: of lib/formula's memory.c and process.c it sees only {sorted(caught)}"
    print(f"{len(hot)} objects looked at")


def main():
    wrong = list(findings(pathlib.Path(sys.argv[1])))
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
