"""What the data plane's objects call: no allocator, no text, no file, no lock, no sleep, no clock, by the linker's own
list of what each leaves undefined. test_allocations plays games and counts; this sees the branches that no game takes."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOT_ROOMS = ("wire", "session", "lcore", "shard", "match", "rating", "netcode", "admission")
HOT_FILES = ("formula/lane.c", "rules/rules_filter.c")  # in rooms that are control plane otherwise
COLD_FILES = ("netcode/address.c",)  # in rooms that are data plane otherwise: addresses as text
# Files in which something is created, at start, and what they may call for it.
CREATION = {
    "lcore/io.c": {"rte_zmalloc_socket", "rte_free", "vx_error_set"},
    "lcore/shard_lcore.c": {"rte_zmalloc_socket", "vx_arena_allocate", "vx_error_set"},
    "lcore/shard_lcore_operate.c": {"rte_zmalloc_socket", "rte_delay_us_sleep"},  # the control thread asks here, and waits for its answer
    "rating/rating.c": {"vx_error_set"},  # settings, checked at start
    "shard/shard.c": {"vx_error_set"},
    "shard/tables.c": {"snprintf", "__snprintf_chk"},  # the documentation's tables
}
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
    hot = {source: path for room in HOT_ROOMS for source, path in objects_of(build, room) if source not in COLD_FILES}
    for room in {source.split("/")[0] for source in HOT_FILES}:
        hot |= {source: path for source, path in objects_of(build, room) if source in HOT_FILES}
    for source, path in hot.items():
        for symbol in sorted(undefined(path) - CREATION.get(source, set())):
            if FORBIDDEN.fullmatch(symbol):
                yield f"lib/{source} calls {symbol}: not on the data plane; what only creates belongs into a file that CREATION names"
    for source in [*CREATION, *HOT_FILES]:
        if source not in hot:
            yield f"lib/{source} is named here and does not exist"
    # The check itself: what it would say of a file of the control plane.
    caught = {symbol for symbol in undefined(dict(objects_of(build, "formula"))["formula/supervisor.c"]) if FORBIDDEN.fullmatch(symbol)}
    if not {"mmap64", "munmap", "snprintf", "nanosleep"} <= caught:
        yield f"the check is blind: of lib/formula/supervisor.c it sees only {sorted(caught)}"
    print(f"{len(hot)} objects looked at")


def main():
    wrong = list(findings(pathlib.Path(sys.argv[1])))
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
