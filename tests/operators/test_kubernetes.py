"""samples/kubernetes/: the manifests are valid, and their arguments push every record once."""

import concurrent.futures
import json
import pathlib

import pytest
import yaml
from conftest import PERMANENT_EXIT_CODES, SAMPLES, run, write_export

MANIFESTS = SAMPLES / "kubernetes"

# The usual names of the keys of a secret with certificates.
SECRET = {"tls.crt": "client.crt", "tls.key": "client.key", "ca.crt": "ca.crt"}


def job_spec(name):
    """Returns the specification of the only job of a manifest."""
    documents = list(yaml.safe_load_all((MANIFESTS / name).read_text()))
    (job,) = [document for document in documents if document["kind"] in ("Job", "CronJob")]
    return job["spec"]["jobTemplate"]["spec"] if job["kind"] == "CronJob" else job["spec"]


def container_of(spec):
    (container,) = spec["template"]["spec"]["containers"]
    return container


def option(args, name):
    (value,) = [arg.removeprefix(f"{name}=") for arg in args if arg.startswith(f"{name}=")]
    return value


@pytest.fixture(params=["cronjob.yaml", "indexed-job.yaml"])
def spec(request):
    return job_spec(request.param)


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@pytest.mark.parametrize("name", ["cronjob.yaml", "indexed-job.yaml"])
def test_manifest_is_valid(name, version):
    result = run("kubernetes-validate", "--strict", "--kubernetes-version", version, MANIFESTS / name)
    assert result.returncode == 0


def test_exit_codes_that_no_retry_fixes_fail_the_job(spec):
    fail, ignore = spec["podFailurePolicy"]["rules"]
    codes = fail["onExitCodes"]
    assert fail["action"] == "FailJob" and codes["operator"] == "In"
    assert codes["containerName"] == container_of(spec)["name"]
    assert codes["values"] == sorted(PERMANENT_EXIT_CODES)
    assert ignore["action"] == "Ignore" and ignore["onPodConditions"][0]["type"] == "DisruptionTarget"
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "required by podFailurePolicy"


def test_deadline_has_room_for_all_attempts(spec):
    minutes = int(option(container_of(spec)["args"], "--max-time").removesuffix("m"))
    retries = spec.get("backoffLimit", spec.get("backoffLimitPerIndex"))
    # Kubernetes waits 10 s before the first retry, and twice as long before each further one.
    backoff = 10 * (2**retries - 1)
    assert (retries + 1) * minutes * 60 + backoff < spec["activeDeadlineSeconds"]


def test_pod_has_no_privileges(spec):
    pod, container = spec["template"]["spec"], container_of(spec)
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


class Pod:
    """The volumes of a pod as folders, and its arguments with the paths of these folders."""

    def __init__(self, spec, folder, certificates, receiver):
        self.container = container_of(spec)
        self.server = receiver.address
        self.folders = {}
        volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
        for mount in self.container["volumeMounts"]:
            path = self.folders[mount["mountPath"]] = folder / mount["name"]
            path.mkdir()
            if "secret" in volumes[mount["name"]]:
                for key, source in SECRET.items():
                    (path / key).write_bytes(certificates[source].read_bytes())

    def path(self, path):
        """Returns the path outside of the container."""
        (mount,) = [mount for mount in self.folders if path.startswith(mount + "/")]
        return str(self.folders[mount]) + path.removeprefix(mount)

    def args(self, index=None):
        """Returns the arguments of the pod with this completion index."""
        args = []
        for arg in self.container["args"]:
            name, equals, value = arg.rpartition("=")
            if index is not None:
                value = value.replace("$(JOB_COMPLETION_INDEX)", str(index))
            assert "$(" not in value, f"{arg} is not expanded"
            if value.startswith("/"):
                value = self.path(value)
            args.append(name + equals + value)
        return [f"--server={self.server}" if arg.startswith("--server=") else arg for arg in args]


def write_input(pod, count):
    (file,) = [arg for arg in pod.container["args"] if arg.startswith("/")]
    return write_export(pathlib.Path(pod.path(file)), count)


def push(binary, args):
    result = run(binary, *args)
    assert result.returncode == 0
    return json.loads(result.stdout)["records"]


def test_cron_job_pushes_changed_records(binary, certificates, receiver, tmp_path):
    pod = Pod(job_spec("cronjob.yaml"), tmp_path, certificates, receiver)
    export = write_input(pod, 50)
    assert push(binary, pod.args())["acknowledged"] == 50
    assert push(binary, pod.args())["unchanged"] == 50
    totals, records = receiver.stop()
    assert totals["records"] == 50 and records == export


def test_indexed_job_pushes_every_record_once(binary, certificates, receiver, tmp_path):
    spec = job_spec("indexed-job.yaml")
    shards = spec["completions"]
    assert spec["completionMode"] == "Indexed"
    assert option(container_of(spec)["args"], "--shard") == f"$(JOB_COMPLETION_INDEX)/{shards}"
    pod = Pod(spec, tmp_path, certificates, receiver)
    count = 500 * shards
    export = write_input(pod, count)

    def push_all():
        with concurrent.futures.ThreadPoolExecutor(spec["parallelism"]) as threads:
            return list(threads.map(lambda index: push(binary, pod.args(index)), range(shards)))

    first, second = push_all(), push_all()
    assert all(summary["acknowledged"] > 0 for summary in first), "each shard has records"
    assert sum(summary["acknowledged"] for summary in first) == count
    assert all(summary["acknowledged"] + summary["other_shard"] == count for summary in first)
    assert all(summary["unchanged"] + summary["other_shard"] == count for summary in second)

    # A bad export is refused by each shard.
    (file,) = [pathlib.Path(arg) for arg in pod.args(0) if arg.startswith("/")]
    file.write_text(file.read_text().replace(",40", ",41"))
    result = run(binary, *pod.args(0))
    assert result.returncode == 4 and "--max-changes" in result.stdout

    totals, records = receiver.stop()
    assert totals["records"] == count, "every record once"
    assert records == export, "none missing"
