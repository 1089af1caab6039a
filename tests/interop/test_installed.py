"""The client library as a game's developer gets it: installed into a folder, found by pkg-config, linked both ways."""
import os
import pathlib
import subprocess
import sys
import tempfile

BUILD, SOURCE = sys.argv[1], pathlib.Path(__file__).parent / "client_example.c"


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder, "--tags", "devel,runtime"], check=True, stdout=subprocess.DEVNULL)
        (found,) = pathlib.Path(folder).rglob("veltrix-client.pc")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(found.parent), "PKG_CONFIG_SYSROOT_DIR": folder}
        for static in ([], ["--static"]):
            flags = subprocess.run(["pkg-config", *static, "--cflags", "--libs", "veltrix-client"], env=environment, check=True, capture_output=True, text=True).stdout.split()
            if static:
                flags = [f"-l:libveltrix-client.a" if flag == "-lveltrix-client" else flag for flag in flags]
            program = pathlib.Path(folder) / ("example" + "".join(static))
            subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE, *flags], check=True)
            done = subprocess.run([program, "/dev/null"], capture_output=True, text=True, check=False, env={"LD_LIBRARY_PATH": str(next(pathlib.Path(folder).rglob("libveltrix-client.so")).parent)})
            assert done.returncode == 1 and "2048 bytes" in done.stderr, done
            print("linked", "statically" if static else "shared", "ok")


if __name__ == "__main__":
    main()
