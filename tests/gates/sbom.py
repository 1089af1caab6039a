"""The bill of materials of what is linked: shared objects of every program, the Debian packages that they come from, as CycloneDX 1.4;
and whether Debian's security suite has something newer for one of them."""
import pathlib
import re
import subprocess
import uuid

PROGRAMS = ("veltrixd", "veltrixctl", "veltrix-load", "veltrix-player", "veltrix-formula-worker")


def told(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


def objects(folder):
    """Each shared object, by its real path: which programs need it."""
    found = {}
    for program in PROGRAMS:
        for line in told("ldd", str(folder / program / program)).splitlines():
            path = re.search(r"(/\S+) \(0x", line)
            if path:
                found.setdefault(pathlib.Path(path.group(1)).resolve(), set()).add(program)
    return found


def package_of(path):
    """dpkg knows some files by their place before /usr was merged."""
    for at in (path, pathlib.Path("/") / path.relative_to("/usr") if path.is_relative_to("/usr") else path):
        owner = told("dpkg", "-S", str(at)).split(": ")[0].split(",")[0]
        if owner:
            return owner
    raise SystemExit(f"gates: no Debian package has {path}")


def components(folder):
    """Of each package: version, source and the programs that load something of it."""
    parts = {}
    for path, programs in objects(folder).items():
        name = package_of(path)
        if name not in parts:
            version, source, source_version = told("dpkg-query", "-W", "-f=${Version}\n${source:Package}\n${source:Version}", name).split("\n")
            parts[name] = {"name": name.split(":")[0], "version": version, "source": source, "source_version": source_version, "objects": [], "programs": set()}
        parts[name]["objects"].append(str(path))
        parts[name]["programs"] |= programs
    if not any(part["name"].startswith("librte-") for part in parts.values()):
        raise SystemExit("gates: no program loads DPDK, so what is linked has not been read")
    return [parts[name] for name in sorted(parts)]


def document(parts):
    return {"bomFormat": "CycloneDX", "specVersion": "1.4", "serialNumber": f"urn:uuid:{uuid.uuid4()}", "version": 1,
            "metadata": {"component": {"type": "application", "name": "veltrix"}},
            "components": [{"type": "library", "name": part["name"], "version": part["version"],
                            "purl": f"pkg:deb/debian/{part['name']}@{part['version'].replace('+', '%2B')}?distro=debian-12",
                            "properties": [{"name": "veltrix:source", "value": f"{part['source']} {part['source_version']}"},
                                           *({"name": "veltrix:object", "value": path} for path in sorted(part["objects"])),
                                           *({"name": "veltrix:program", "value": program} for program in sorted(part["programs"]))]} for part in parts]}


def security_versions(policy):
    """Of `apt-cache policy`'s text for one package: versions that a security suite offers."""
    versions, version = [], None
    for line in policy.splitlines():
        row = re.match(r"^ (?:\*\*\*|   ) (\S+) \d+$", line)
        version = row.group(1) if row else version
        if version and re.search(r"security", line) and re.match(r"^ {8,}-?\d+ http", line):
            versions.append(version)
    return versions


def newer_in_security(parts):
    sources = told("apt-cache", "policy")
    if "security" not in sources:
        return ["apt knows no security suite: see /etc/apt/sources.list.d"]
    wrong = []
    for part in parts:
        for version in security_versions(told("apt-cache", "policy", part["name"])):
            if subprocess.run(["dpkg", "--compare-versions", version, "gt", part["version"]], check=False).returncode == 0:
                wrong.append(f"{part['name']} {part['version']} is linked; Debian's security suite has {version}: apt-get install {part['name']}")
    return wrong
