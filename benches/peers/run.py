"""Compares `push` with clients that do the same job in Go and Python, and with the goals of the project.

Prints medians, ratios, and a table that says which goals are missed.

Usage: run.py [--records N] [--runs N] [--vs BINARY] [--new-go GO --new-gopath DIR] [--large]
              [--clean-build]

The script needs the build tools that the README lists, and python3-venv. The Go client also needs
the Go toolchain, and the packages google.golang.org/grpc and google.golang.org/protobuf in
/usr/share/gocode (Debian: golang-go, golang-google-grpc-dev,
golang-github-golang-protobuf-1-5-dev, protobuf-compiler, protoc-gen-go-1-5). --new-go and
--new-gopath add a client that is built with a newer Go toolchain and newer packages. --vs adds
another build of the program. --large adds 10,000,000 and 100,000,000 records, which need 5 GB in the
folder for temporary files. --clean-build measures a release build in an empty folder.

The clients take turns against one receiver that uses almost no CPU time (sink.rs), over TLS on
loopback. Each request has 10,000 records with tokens of 32 bytes. The figures describe whole
processes: wall time, CPU time of the client, peak memory.
"""

import argparse
import contextlib
import json
import multiprocessing
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


def go_client(target, go, gopath):
    """Builds a Go client and returns its command.

    Returns None if `go`, `protoc` or `protoc-gen-go` is missing, or if the build fails (for
    example, because grpc-go is missing).
    """
    if not all(shutil.which(tool) for tool in (go, "protoc", "protoc-gen-go")):
        return None
    name = f"peers-go-{str(gopath).strip('/').replace('/', '-')}"
    path = target / name
    package = path / "src/peers"
    (package / "sensor").mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "go/main.go", package)
    generate = ["protoc", f"-I{ROOT / 'proto'}", f"--go_out={package / 'sensor'}"]
    generate += ["--go_opt=Msensor.proto=peers/sensor", "--go_opt=paths=source_relative", "sensor.proto"]
    subprocess.run(generate, check=True)
    environment = {**os.environ, "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOPATH": f"{path}:{gopath}"}
    binary = path / name
    build = subprocess.run([go, "build", "-o", binary, "."], cwd=package, env=environment)
    if build.returncode != 0:
        return None
    subprocess.run([go, "version"], check=True)
    lines = (pathlib.Path(gopath) / "src/google.golang.org/grpc/version.go").read_text().splitlines()
    print(*(line for line in lines if line.startswith("const Version")), flush=True)
    return [installed(binary, target / "peers-installed")]


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


BLOCK_RECORDS = 1_000_000


def write_records(*arguments, **options):
    """Calls `write_file` in another process, because the memory peak of this one counts for its children."""
    process = multiprocessing.Process(target=write_file, args=arguments, kwargs=options)
    process.start()
    process.join()
    assert process.exitcode == 0


def write_file(path, count, file_format="csv", copies=1):
    """Writes `count` records, all of them `copies` times. Every run writes the same records."""
    start = "" if file_format == "csv" else '{"device_token":"'
    line = "{},{}\n" if file_format == "csv" else '{}","expire_time":{}}}\n'
    # The tokens are distributed like hashes. Those of two blocks differ in their first 8 digits.
    ends = [
        line.format(f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:08x}", 4_000_000_000 + number % 1000)
        for number in range(min(count, BLOCK_RECORDS))
    ]
    with open(path, "w") as file:
        if file_format == "csv":
            file.write("device_token,expire_time\n")
        for _ in range(copies):
            for first in range(0, count, BLOCK_RECORDS):
                block = ends[: count - first]
                file.write(f"{start}{first:08x}".join(["", *block]))


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
    """Runs the jobs, prints their medians, and returns the medians by the names of the jobs."""
    jobs = [job for job in jobs if job]
    for _ in range(runs):
        # The order is random. In a fixed order, a job would always find the CPU caches as the same
        # other job left them.
        for job in random.sample(jobs, len(jobs)):
            job.run()
    print(f"\n{title}, medians of {runs} runs in turn")
    print(f"{'':34}{'wall s':>9}{'CPU s':>9}{'MiB':>8}{'wall ratio':>12}{'CPU ratio':>11}")
    medians = {job.name: job.medians() for job in jobs}
    baseline = medians[jobs[0].name]
    for name, (wall, cpu, memory) in medians.items():
        ratios = f"{wall / baseline.wall_seconds:12.2f}{cpu / baseline.cpu_seconds:11.2f}"
        print(f"{name:34}{wall:9.4f}{cpu:9.4f}{memory:8.1f}{ratios}")
    return medians


class Goal(typing.NamedTuple):
    """A measured value, which should be at most the limit."""

    name: str
    value: float
    limit: float
    unit: str = ""

    def line(self):
        verdict = "reached" if self.value <= self.limit else "MISSED"
        return f"{self.name:60}{self.value:10.2f}{self.limit:10.2f} {self.unit:4} {verdict}"


def clean_build_minutes():
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        command = ["cargo", "build", "--quiet", "--locked", "--release", "--bin", "sensor-license"]
        subprocess.run([*command, "--target-dir", folder], cwd=ROOT, check=True)
        return (time.perf_counter() - started) / 60


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--records", type=int, default=1_000_000)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--vs", type=pathlib.Path, metavar="BINARY")
    arguments.add_argument("--new-go", metavar="GO")
    arguments.add_argument("--new-gopath", metavar="DIR")
    arguments.add_argument("--large", action="store_true")
    arguments.add_argument("--clean-build", action="store_true")
    arguments = arguments.parse_args()
    target = build_release()
    python, python_environment = python_client(target)
    debian_go = go_client(target, "/usr/bin/go", "/usr/share/gocode")
    new_go = go_client(target, arguments.new_go, arguments.new_gopath) if arguments.new_go else None
    binary = installed(target / "release/sensor-license", target / "peers-installed")
    other = installed(arguments.vs, target / "peers-vs") if arguments.vs else None
    goals = []
    with tempfile.TemporaryDirectory() as name, receiver(target, pathlib.Path(name)) as (address, slow, cacert):
        folder = pathlib.Path(name)
        one, many, lines = folder / "one.csv", folder / "many.csv", folder / "many.ndjson"
        count = arguments.records
        write_records(one, 1)
        write_records(many, count)
        write_records(lines, count, "ndjson")
        new_ledger, full_ledger = folder / "ledger", folder / "kept"

        def remove_ledger():
            for path in folder.glob("ledger*"):
                path.unlink()

        def push_command(*options, server=address):
            return [binary, "push", "--server", server, "--cacert", cacert, *options]

        def go_jobs(file):
            clients = [("Go of Debian", debian_go), ("newer Go", new_go)]
            return [Job(name, [*client, address, cacert, file]) for name, client in clients if client]

        def python_job(file):
            return Job("Python", [*python, address, cacert, file], python_environment)

        def push_job(name, *options, count, prepare=None, server=address):
            command = push_command(*options, server=server)
            return Job(name, command, prepare=prepare, expected=f" {count} acknowledged")

        def push_jobs(name, file, count):
            job = push_job(name, file, count=count)
            return [job, other and Job(f"{name}, {arguments.vs.name}", [other, *job.command[1:]])]

        subprocess.run(push_command("--ledger", full_ledger, many), check=True, stdout=subprocess.DEVNULL)
        first = report("One record", go_jobs(one) + push_jobs("push", one, 1), arguments.runs * 16)
        # The start of Python replaces most of the CPU caches' content, so a client that runs after
        # Python does not profit from the clients before.
        jobs = [*go_jobs(one), python_job(one), *push_jobs("push", one, 1)]
        report("One record, with Python between", jobs, arguments.runs * 4)
        jobs = [
            *go_jobs(many),
            python_job(many),
            *push_jobs("push", many, count),
            *push_jobs("push, NDJSON", lines, count),
            push_job("push, new ledger", "--ledger", new_ledger, many, count=count, prepare=remove_ledger),
            push_job("push, nothing changed", "--ledger", full_ledger, many, count=0),
            push_job("push, 50 ms away", many, count=count, server=slow),
        ]
        all_of = report(f"{count} records", jobs, arguments.runs)
        push = all_of["push"]
        for go, limit in [("newer Go", 0.55), ("Go of Debian", 0.65)]:
            if go in first:
                value = first["push"].wall_seconds / first[go].wall_seconds
                goals.append(Goal(f"one record, wall, to {go}", value, limit))
        if go := all_of.get("Go of Debian"):
            for name, limit in [
                ("push", 0.36),
                ("push, NDJSON", 0.48),
                ("push, new ledger", 1.2),
                ("push, nothing changed", 1.0),
            ]:
                value = all_of[name].wall_seconds / go.wall_seconds
                goals.append(Goal(f"{count} records, {name}, wall, to Go of Debian", value, limit))
            goals.append(Goal(f"{count} records, push, CPU, to Go of Debian", push.cpu_seconds / go.cpu_seconds, 0.4))
        away = all_of["push, 50 ms away"].wall_seconds
        goals.append(Goal(f"{count} records, 50 ms away", away, 2 * push.wall_seconds + 0.3, "s"))
        if arguments.large:
            goals += measure_large(folder, push_job, binary, arguments.runs)
    goals.append(Goal("size of the program", binary.stat().st_size / 1e6, 11, "MB"))
    if arguments.clean_build:
        goals.append(Goal("clean release build", clean_build_minutes(), 4, "min"))
    # The goals are for 1,000,000 records.
    if count != 1_000_000:
        return
    print(f"\n{'goal':60}{'value':>10}{'at most':>10}")
    for goal in goals:
        print(goal.line())


def measure_large(folder, push_job, binary, runs):
    """Measures large files in turn with 1,000,000 records. Returns the goals."""

    def large_push_job(name, file, count):
        return push_job(f"push, {name}", file, count=count)

    def check_job(name, file):
        return Job(f"check, {name}", [binary, "check", "-q", file])

    million, once, twice = folder / "million.csv", folder / "once.csv", folder / "twice.csv"
    largest = folder / "largest.csv"
    small = "1000000 records"
    ten_million, half_duplicates = "10000000 records", "10000000 half duplicates"
    write_records(million, 1_000_000)
    write_records(once, 10_000_000)
    write_records(twice, 5_000_000, copies=2)
    jobs = [
        large_push_job(small, million, 1_000_000),
        large_push_job(ten_million, once, 10_000_000),
        large_push_job(half_duplicates, twice, 5_000_000),
        check_job(ten_million, once),
        check_job(half_duplicates, twice),
    ]
    medians = report("Large files", jobs, runs)
    once.unlink()
    twice.unlink()
    write_records(largest, 100_000_000)
    hundred_million = "100000000 records"
    jobs = [large_push_job(small, million, 1_000_000), large_push_job(hundred_million, largest, 100_000_000)]
    largest_medians = report("The largest file", jobs, min(runs, 3))
    largest.unlink()

    def ratio(medians, job, base, limit):
        value = medians[job].wall_seconds / medians[base].wall_seconds
        return Goal(f"{job}, wall, to {base.partition(', ')[2]}", value, limit)

    def memory(medians, job, limit):
        return Goal(f"{job}, memory", medians[job].memory_mib, limit, "MiB")

    return [
        ratio(medians, f"push, {ten_million}", f"push, {small}", 9),
        memory(medians, f"push, {ten_million}", 100),
        ratio(medians, f"push, {half_duplicates}", f"push, {ten_million}", 3),
        ratio(medians, f"check, {half_duplicates}", f"check, {ten_million}", 3),
        ratio(largest_medians, f"push, {hundred_million}", f"push, {small}", 105),
        memory(largest_medians, f"push, {hundred_million}", 64 + 1e9 / 2**20),
    ]


main()
