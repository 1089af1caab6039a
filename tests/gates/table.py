"""What tools/gates holds the tree to: which tests a gate leaves out and why, findings that were looked at and are none."""

# Unit tests that cannot be judged in a build with sanitizers, and why.
NO_SANITIZER = {
    "allocations": "stands before malloc itself, as the sanitizers do",
    "formula_contain": "kills workers by signals that the sanitizers take, and limits the address space that they reserve",
    "formula_sandbox": "its filter kills the process for system calls that the sanitizers make",
}
# ThreadSanitizer sees what is compiled here, with rte_ring's inline parts as C11 atomics (RTE_USE_C11_MEM_MODEL); not what libdpdk,
# SQLite and LuaJIT do inside. These tests share memory between threads of ours.
TSAN_TESTS = ["threads"]
# Rooms whose tests need neither DPDK's memory nor a worker process: every byte that they read must have been written.
VALGRIND_ROOMS = ["admission", "canary", "config", "match", "netcode", "rating", "secret", "session", "shard", "versions", "wire"]
NO_VALGRIND = {
    "rating_speed": "judges time",
}

# (gate, file, check, why it is no fault). A row that nothing matches any more fails the gate.
ACCEPTED = [
    ("cppcheck", "app/veltrix-formula-worker/heap.c", "invalidFunctionArg", "-1 is the descriptor of an anonymous mapping"),
    ("cppcheck", "app/veltrix-formula-worker/sandbox.c", "invalidFunctionArg", "the same"),
    ("cppcheck", "lib/memory/memory.c", "invalidFunctionArg", "the same"),
    ("cppcheck", "app/veltrix-formula-worker/heap.c", "memleak", "the heap lies in it, on its boundary, until the worker ends"),
    ("cppcheck", "lib/memory/memory.c", "memleak", "the arenas lie in it, on their boundary, until the process ends"),
    ("cppcheck", "app/veltrixctl/token_inspect.c", "wrongPrintfScanfArgNum", "the format is the caller's: one of two, with one number each"),
    ("cppcheck", "app/veltrixd/status.c", "unknownMacro", "a row list of macros, defined in vx_shard.h"),
    ("cppcheck", "lib/control/peer.c", "getpwnamCalled", "by the control thread alone"),
    ("cppcheck", "lib/control/peer.c", "getgrnamCalled", "by the control thread alone"),
    ("cppcheck", "lib/control/peer.c", "getpwuidCalled", "by the control thread alone"),
    ("cppcheck", "lib/formula/program.c", "memleak", "handed on within a structure's initializer; vx_formula_program_free frees it"),
    ("cppcheck", "lib/lcore/shard_lcore.c", "nullPointerArithmetic", "an array of no elements, moved on by none"),
    ("cppcheck", "lib/session/session_private.h", "bufferAccessOutOfBounds", "two fields that follow each other are copied as one; a static_assert holds them together"),
    ("analyzer", "lib/shard/connection.c", "null-dereference", "who is PROPOSED or HUNTING has a hunt: vx_shard_check asserts it"),
    ("analyzer", "lib/shard/jobs.c", "null-dereference", "job_new gives one whenever job_free is not NONE, which the loop asks"),
    ("analyzer", "lib/rules/rules_file.c", "null-dereference", "its one caller passes a row of an array"),
    ("analyzer", "app/veltrix-load/device.c", "null-dereference", "its callers pass a packet's data"),
    ("tidy", "app/veltrix-formula-worker/heap.c", "performance-no-int-to-ptr", "rounding an address to a boundary, once at start"),
    ("tidy", "lib/memory/memory.c", "performance-no-int-to-ptr", "the same"),
    ("tidy", "app/veltrix-load/device.c", "bugprone-sizeof-expression", "an array of pointers is moved"),
    ("tidy", "app/veltrixctl/top.c", "bugprone-sizeof-expression", "an array of pointers is sorted"),
    ("tidy", "app/veltrix-load/flood.c", "cert-flp30-c", "a debt of packets, with fractions; whole steps below 2^53 are exact"),
    ("tidy", "app/veltrix-load/netcode.c", "cert-flp30-c", "the same"),
    ("tidy", "app/veltrixctl/formula.c", "cert-env33-c", "diff, whose arguments are numbers, words of a table and paths of our own making"),
    ("tidy", "lib/gate/gate_answers.c", "bugprone-suspicious-memory-comparison", "bit for bit is what is asked: NaN is to be the same NaN"),
    ("tidy", "lib/gate/gate_times.c", "bugprone-integer-division", "an index into sorted times, not a time"),
    ("tidy", "lib/rules/prefix.c", "bugprone-not-null-terminated-result", "the buffer is zeroed and one byte longer"),
]
