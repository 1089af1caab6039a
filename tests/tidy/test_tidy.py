"""House rules that no compiler knows: includes, lengths, words of the data plane, unfinished work, documented counters, documented and
self-sufficient doors. Each rule is first shown a text that breaks it."""
import ast
import pathlib
import re
import subprocess
import sys

from data_plane import CREATION, is_hot

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("app", "lib", "perf", "tests", "tools")
FILE_LINES_MAX, FUNCTION_LINES_MAX = 500, 70
FORBIDDEN_WORDS = re.compile(r"""\b(?:\w*printf|puts|fputs|fwrite|fopen|perror|syslog|RTE_LOG|rte_log|vx_log\w*   # text, files
    | malloc|calloc|realloc|free|aligned_alloc|strdup|alloca|rte_(?:m|z|c|re)alloc\w*|mi_\w*alloc\w*|(?:rte|mi)_free|vx_arena_\w+   # memory
    | str(?:len|cpy|ncpy|cat|cmp|ncmp|chr|str|tok|tol|toul)                                                        # strings
    | \w*(?:spin|rw|try|un)_?lock\w*|lock|pthread_\w+|\w*mutex\w*|sem_wait|futex                                   # locks
    | u?sleep|nanosleep|sched_yield|poll|select|ioctl|mmap|munmap|syscall                                         # system calls
    | time|clock_gettime|gettimeofday|rand|random)\(""", re.VERBOSE)  # time and chance of one's own
DECLARATION = re.compile(r"(?:_Noreturn |static inline |const |struct |enum |extern )*\w+(?: \w+)*[ *]+(vx_\w+)\(")
RUN_MAX = 4  # declarations that one comment may speak for, when nothing stands between them


def without_comments(text):
    """Comments and texts blanked, lines kept."""
    blank = lambda found: re.sub(r"[^\n]", " ", found.group())
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.DOTALL)


def include_findings(text):
    return [f"{number}: includes by ../, which goes round the rooms' doors" for number, line in enumerate(text.splitlines(), 1)
            if re.match(r'\s*#\s*include\s+"[^"]*\.\./', line)]


def length_findings(text, is_python):
    lines = text.splitlines()
    found = [f"1: {len(lines)} lines, at most {FILE_LINES_MAX}"] if len(lines) > FILE_LINES_MAX else []
    functions = []
    if is_python:
        functions = [(node.lineno, node.end_lineno) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    else:  # clang-format puts the braces of functions, and of nothing else, alone into the first column
        begin = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                begin = number - 1
            elif line == "}" and begin is not None:
                functions.append((begin, number))
                begin = None
    return found + [f"{first}: a function of {last - first + 1} lines, at most {FUNCTION_LINES_MAX}" for first, last in functions if last - first >= FUNCTION_LINES_MAX]


def word_findings(text, allowed):
    found = []
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        for match in FORBIDDEN_WORDS.finditer(line):
            if match.group()[:-1] not in allowed:
                found.append(f"{number}: {match.group()}) is not for the data plane")
    return found


def unfinished_findings(text):
    return [f"{number}: unfinished work is an issue, not a comment" for number, line in enumerate(text.splitlines(), 1) if re.search(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b", line)]


def door_findings(text):
    """A public function has a comment above it, beside it, or above the short run of declarations that it stands in; or
    another comment of the door speaks of it by name."""
    spoken_of = " ".join(re.findall(r"/\*.*?\*/", text, flags=re.DOTALL))
    lines, found, run, number = text.splitlines(), [], RUN_MAX, 0
    while number < len(lines):
        line, first = lines[number], number
        match = DECLARATION.match(line)
        if match:
            while not re.search(r"[;)]\s*(/\*.*)?$", lines[number]):
                number += 1
            run = 1 if first > 0 and lines[first - 1].rstrip().endswith("*/") else run + 1
            if run > RUN_MAX and "/*" not in " ".join(lines[first:number + 1]) and f"{match.group(1)}()" not in spoken_of:
                found.append(f"{first + 1}: {match.group(1)}() has no comment")
            if number + 1 < len(lines) and lines[number + 1] == "{":
                number = lines.index("}", number)
        elif not line.startswith((" ", "/*")):
            run = RUN_MAX
        number += 1
    return found


def alone_findings(path):
    """The door compiles with nothing before it."""
    includes = [f"-I{folder}" for folder in sorted((ROOT / "lib").iterdir())]
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk", "jansson"], capture_output=True, text=True, check=True).stdout.split()
    done = subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-DALLOW_EXPERIMENTAL_API", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags, *includes, "-xc", "-"],
                          input=f'#include "{path.name}"\n', capture_output=True, text=True, check=False)
    return [f"1: does not compile alone: {done.stderr.splitlines()[0]}"] if done.returncode != 0 else []


def counter_findings(page, lists):
    """Counters of netcode that a page names and no X-macro list has."""
    return [f"{number}: there is no counter {name}" for number, line in enumerate(page.splitlines(), 1)
            for name in re.findall(r"\b(?:netcode|ignored|denied)_\w+", line) if not re.search(rf'"{name}"|X\({name},', lists)]


def rules_work():
    """Every rule sees what it is for, and passes what is good."""
    long_function = "int f(void)\n{\n" + "    x();\n" * 70 + "}\n"
    assert include_findings('#include "../shard/shard_private.h"') and not include_findings('#include "vx_shard.h"')
    assert length_findings("\n" * 501, False) and length_findings(long_function, False) and not length_findings("int f(void)\n{\n}\n", False)
    assert length_findings("def f():\n" + "    x()\n" * 71, True) and not length_findings("def f():\n    x()\n", True)
    for bad in ("free(a);", "x = malloc(1);", "rte_spinlock_lock(&a);", "usleep(1);", "(void)snprintf(a, 1);", "time(NULL);", "pthread_mutex_lock(a);"):
        assert word_findings(bad, set()), bad
    assert not word_findings('/* free(a) */ x("malloc(1)"); job_free(a); rte_pktmbuf_free_bulk(a); block(a);', set())
    assert not word_findings("rte_free(a);", {"rte_free"})
    assert counter_findings("netcode_odd, denied_full", "X(denied_full, 1)") == ["1: there is no counter netcode_odd"]
    assert unfinished_findings("/* TO" "DO */")
    assert door_findings("int vx_a(void);\n") and not door_findings("/* Says a. */\nint vx_a(void);\nint vx_b(void);\n")
    assert not door_findings("int vx_a(void); /* says a */\n") and door_findings("/* a */\n\nint vx_a(void);\n")


def sources():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".py", ".lua"):
                yield path


def findings():
    for path in sources():
        text, name = path.read_text(), path.relative_to(ROOT)
        found = unfinished_findings(text)
        if path.suffix in (".c", ".h"):
            found += include_findings(text)
        if path.suffix != ".lua":
            found += length_findings(text, path.suffix == ".py")
        if name.parts[0] == "lib":
            source = "/".join(name.parts[1:])
            found += word_findings(text, CREATION.get(source, set())) if is_hot(source) else []
            if name.match("lib/*/vx_*.h"):
                found += door_findings(text) + alone_findings(path)
        yield from (f"{name}:{finding}" for finding in found)
    lists = "".join((ROOT / "lib" / path).read_text() for path in ("base/vx_drop.h", "admission/vx_admission.h"))
    yield from (f"docs/protocol.md:{finding}" for finding in counter_findings((ROOT / "docs" / "protocol.md").read_text(), lists))


def main():
    rules_work()
    found = list(findings())
    print("\n".join(found) if found else "tidy")
    return 1 if found else 0


sys.exit(main())
