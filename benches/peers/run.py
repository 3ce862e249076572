"""Compares `push` with clients that do the same job in Python and, if Go is installed, in Go.

Prints medians and ratios. Usage: run.py [--records N] [--runs N] [--vs BINARY]. With --vs, another
build of the program takes its turn too.

The script needs the build tools that the README lists, and python3-venv. The Go client also needs
the Go toolchain, and the packages google.golang.org/grpc and google.golang.org/protobuf in GOPATH
or in /usr/share/gocode (Debian: golang-go, golang-google-grpc-dev,
golang-github-golang-protobuf-1-5-dev, protobuf-compiler, protoc-gen-go-1-5). The script uses the
first `go` and `protoc-gen-go` in PATH, and prefers GOPATH to Debian's /usr/share/gocode, so a newer
Go can be measured.

The clients take turns against one receiver that uses almost no CPU time (sink.rs), over TLS on
loopback. Each request has 10,000 records with tokens of 32 bytes. The figures describe whole
processes: wall time, CPU time of the client, peak memory.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON_REQUIREMENTS = ROOT / "tests/interop/requirements.txt"


def build_release():
    """Builds the program and the receiver, and returns the target folder."""
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--bins", "--examples"]
    subprocess.run(command, cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--no-deps"], cwd=ROOT, check=True, capture_output=True
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"])


def python_client(target):
    """Prepares the Python client, and returns its command and additional environment variables."""
    venv = target / "peers-venv"
    python = venv / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", PYTHON_REQUIREMENTS]
    subprocess.run(pip, check=True)
    generated = target / "peers-python"
    generated.mkdir(exist_ok=True)
    protoc = [python, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"--python_out={generated}", "sensor.proto"]
    subprocess.run(protoc, check=True)
    return [python, HERE / "client.py"], {"PYTHONPATH": str(generated)}


def go_client(target):
    """Builds the Go client and returns its command.

    Returns None if `go`, `protoc` or `protoc-gen-go` is missing, or if the build fails (for
    example, because grpc-go is missing).
    """
    if not all(shutil.which(tool) for tool in ("go", "protoc", "protoc-gen-go")):
        return None
    path = target / "peers-go"
    package = path / "src/peers"
    (package / "sensor").mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "go/main.go", package)
    generate = ["protoc", f"-I{ROOT / 'proto'}", f"--go_out={package / 'sensor'}"]
    generate += ["--go_opt=Msensor.proto=peers/sensor", "--go_opt=paths=source_relative", "sensor.proto"]
    subprocess.run(generate, check=True)
    sources = [path, *filter(None, [os.environ.get("GOPATH")]), "/usr/share/gocode"]
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": ":".join(map(str, sources))}
    binary = path / "client"
    build = subprocess.run(["go", "build", "-o", binary, "."], cwd=package, env=environment)
    version = next((found for source in sources if (found := grpc_version_line(source))), "")
    subprocess.run(["go", "version"], check=True)
    print(version, flush=True)
    return [installed(binary, target / "peers-installed")] if build.returncode == 0 else None


def grpc_version_line(source):
    """Returns the line that has the version of grpc-go, or None if `source` has no grpc-go."""
    file = pathlib.Path(source) / "src/google.golang.org/grpc/version.go"
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line for line in lines if line.startswith("const Version")), None)


def installed(binary, folder):
    """Copies a binary to a folder, as an installation does, and returns the path of the copy.

    The page cache holds the output of a linker in single pages, but a copied file in larger pieces.
    A process maps larger pieces faster, so only a copy starts as fast as an installed program.
    """
    folder.mkdir(exist_ok=True)
    copy = folder / binary.name
    copy.unlink(missing_ok=True)
    return shutil.copy(binary, copy)


@contextlib.contextmanager
def receiver(target, folder):
    """Runs the receiver.

    Yields the receiver's address, the address of a slow link to the receiver, and the path of the
    certificate.
    """
    cacert = folder / "cacert.pem"
    process = subprocess.Popen([target / "release/examples/sink", cacert], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip(), process.stdout.readline().strip(), cacert
    finally:
        process.kill()
        process.wait()


def write_records(path, count, file_format):
    with open(path, "w") as file:
        if file_format == "csv":
            file.write("device_token,expire_time\n")
        for number in range(count):
            # The tokens are distributed like hashes, but every run of this script writes the same
            # tokens.
            token = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}"
            expire_time = 4_000_000_000 + number % 1000
            if file_format == "csv":
                file.write(f"{token},{expire_time}\n")
            else:
                file.write(f'{{"device_token":"{token}","expire_time":{expire_time}}}\n')


class Figures(typing.NamedTuple):
    """The time and the memory that one run of a process used."""

    wall_seconds: float
    cpu_seconds: float
    memory_mib: float


class Job:
    """A command to measure. `prepare` is called before each run and not measured; `expected` must be in the output."""

    def __init__(self, name, command, environment=None, prepare=None, expected=None):
        self.name, self.command, self.prepare, self.expected = name, command, prepare, expected
        self.environment = {**os.environ, **(environment or {})}
        self.runs = []

    def run(self):
        if self.prepare:
            self.prepare()
        with tempfile.TemporaryFile() as output:
            to_output = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1)]
            started = time.perf_counter()
            # The subprocess module would add half a millisecond to every wall time.
            process = os.posix_spawn(self.command[0], self.command, self.environment, file_actions=to_output)
            _, status, usage = os.wait4(process, 0)
            wall = time.perf_counter() - started
            code = os.waitstatus_to_exitcode(status)
            assert code == 0, (self.name, code)
            output.seek(0)
            text = output.read().decode()
        assert self.expected is None or self.expected in text, (self.name, text)
        self.runs.append(Figures(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))

    def medians(self):
        return Figures(*map(statistics.median, zip(*self.runs)))


def report(title, jobs, runs):
    for _ in range(runs):
        # The order is random. In a fixed order, a job would always find the CPU caches as the same
        # other job left them.
        for job in random.sample(jobs, len(jobs)):
            job.run()
    print(f"\n{title}, medians of {runs} runs in turn")
    print(f"{'':34}{'wall s':>9}{'CPU s':>9}{'MiB':>8}{'wall ratio':>12}{'CPU ratio':>11}")
    baseline = jobs[0].medians()
    for job in jobs:
        wall, cpu, memory = job.medians()
        ratios = f"{wall / baseline.wall_seconds:12.2f}{cpu / baseline.cpu_seconds:11.2f}"
        print(f"{job.name:34}{wall:9.4f}{cpu:9.4f}{memory:8.1f}{ratios}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--records", type=int, default=1_000_000)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--vs", type=pathlib.Path, metavar="BINARY")
    arguments = arguments.parse_args()
    target = build_release()
    python, python_environment = python_client(target)
    go = go_client(target)
    binary = installed(target / "release/sensor-license", target / "peers-installed")
    other = installed(arguments.vs, target / "peers-vs") if arguments.vs else None
    with tempfile.TemporaryDirectory() as name, receiver(target, pathlib.Path(name)) as (address, slow, cacert):
        folder = pathlib.Path(name)
        one, many, lines = folder / "one.csv", folder / "many.csv", folder / "many.ndjson"
        write_records(one, 1, "csv")
        write_records(many, arguments.records, "csv")
        write_records(lines, arguments.records, "ndjson")
        new_ledger, full_ledger = folder / "ledger", folder / "kept"

        def remove_ledger():
            for path in folder.glob("ledger*"):
                path.unlink()

        def push_command(*options, server=address):
            return [binary, "push", "--server", server, "--cacert", cacert, *options]

        def peer_jobs(file):
            jobs = [Job("Go", [*go, address, cacert, file])] if go else []
            return jobs + [Job("Python", [*python, address, cacert, file], python_environment)]

        def push_job(name, *options, count, prepare=None, server=address):
            command = push_command(*options, server=server)
            return Job(f"sensor-license{name}", command, prepare=prepare, expected=f"{count} acknowledged")

        def push_jobs(name, file, count):
            job = push_job(name, file, count=count)
            return [job, Job(f"{arguments.vs}{name}", [other, *job.command[1:]])] if other else [job]

        count = arguments.records
        subprocess.run(push_command("--ledger", full_ledger, many), check=True, stdout=subprocess.DEVNULL)
        one_in_go, one_in_python = peer_jobs(one)[:-1], peer_jobs(one)
        report("One record", [*one_in_go, *push_jobs("", one, 1)], arguments.runs * 16)
        # The start of Python replaces most of the CPU caches' content, so a client that runs after
        # Python does not profit from the clients before.
        report("One record, with Python between", [*one_in_python, *push_jobs("", one, 1)], arguments.runs * 4)
        report(
            f"{count} records",
            peer_jobs(many)
            + push_jobs("", many, count)
            + push_jobs(", NDJSON", lines, count)
            + [
                push_job(", new ledger", "--ledger", new_ledger, many, count=count, prepare=remove_ledger),
                push_job(", nothing changed", "--ledger", full_ledger, many, count=0),
                push_job(", 50 ms away", many, count=count, server=slow),
                push_job(", the same, 32 in flight", "--concurrency", "32", many, count=count, server=slow),
            ],
            arguments.runs,
        )


main()
