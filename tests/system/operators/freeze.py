"""Holds one thread of a process, as a fault of the machine or of the program would. By ptrace(2), from outside."""
import ctypes
import os
import struct
import time

PTRACE_PEEKTEXT, PTRACE_POKETEXT, PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_DETACH = 1, 4, 7, 12, 13, 17
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000
RIP = 16  # in struct user_regs_struct, in words
LOOP = b"\xeb\xfe"  # jmp to itself
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.restype = ctypes.c_long
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, tid, address=None, data=None):
    ctypes.set_errno(0)
    value = LIBC.ptrace(request, tid, address, data)
    if value == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace {request}: {os.strerror(ctypes.get_errno())}")
    return value


def stop(tid):
    ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WALL)


def hold(tid, seconds):
    """The thread is not run for so long."""
    ptrace(PTRACE_SEIZE, tid)
    stop(tid)
    time.sleep(seconds)
    ptrace(PTRACE_DETACH, tid)


def instruction_pointer(tid):
    registers = (ctypes.c_ulonglong * 27)()
    ptrace(PTRACE_GETREGS, tid, None, ctypes.addressof(registers))
    return registers[RIP]


def text_range(pid, name):
    for line in open(f"/proc/{pid}/maps", encoding="ascii"):
        if line.rstrip().endswith(name) and " r-xp " in line:
            begin, end = line.split()[0].split("-")
            return range(int(begin, 16), int(end, 16))
    raise AssertionError(f"{name} is not mapped")


def spin(pid, tid, seconds, name="veltrixd"):
    """The thread runs in circles where it is in the program's own code: one instruction becomes a jump to itself, and
    afterwards what it was. seconds None: for ever."""
    own = text_range(pid, name)
    ptrace(PTRACE_SEIZE, tid)
    for _ in range(1000):
        stop(tid)
        address = instruction_pointer(tid)
        if address in own:
            break
        ptrace(PTRACE_CONT, tid)
    else:
        raise AssertionError("never found in its own code")
    before = ptrace(PTRACE_PEEKTEXT, tid, address)
    looped = LOOP + struct.pack("<q", before)[2:]
    ptrace(PTRACE_POKETEXT, tid, address, struct.unpack("<q", looped)[0])
    if seconds is None:
        ptrace(PTRACE_DETACH, tid)
        return
    ptrace(PTRACE_CONT, tid)
    end = time.monotonic() + seconds
    while time.monotonic() < end:  # signals pass through us: hand them on
        done, status = os.waitpid(tid, WALL | os.WNOHANG)
        if done:
            ptrace(PTRACE_CONT, tid, None, os.WSTOPSIG(status))
        time.sleep(0.001)
    stop(tid)
    ptrace(PTRACE_POKETEXT, tid, address, before)
    ptrace(PTRACE_DETACH, tid)
