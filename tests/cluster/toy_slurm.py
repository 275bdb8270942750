"""A SLURM cluster on this machine: several nodes with pretend GPUs, from Debian's packages, for root on a test machine.

    python tests/cluster/toy_slurm.py        starts one, waits for Enter or Ctrl-C, takes it down again

All of it lies in one temporary folder, which SLURM's own programs find through a link in /run that goes with it. There is no
accounting database, and nothing is enforced by the kernel: it shows how jobs are scheduled, killed and requeued, not how fast.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
FOUND_BY = Path("/run/slurm/conf")
ELSEWHERE = (Path("/etc/slurm/slurm.conf"), Path("/etc/slurm-llnl/slurm.conf"))
GPU_KIND = "toy"
MEMORY_MIB = 6000


class Unavailable(Exception):
    """Why there can be no such cluster here."""


class Cluster:
    """Nodes n1, n2, ... with `cores` and `gpus` each; partition `main`, and `high`, which preempts it."""

    def __init__(self, nodes: int = 3, cores: int = 4, gpus: int = 1):
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.cores, self.gpus = cores, gpus

    def __enter__(self) -> "Cluster":
        install()
        self.folder = Path(tempfile.mkdtemp(prefix="toy-slurm-"))
        self.folder.chmod(0o755)
        try:
            self._configure()
            self._start_munge()
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            self.wait_until_idle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *about: object) -> None:
        if (self.folder / "slurmctld.pid").exists():
            subprocess.run(["scancel", "--signal=KILL", "--user=root"], capture_output=True, timeout=30)
            subprocess.run(["scancel", "--user=root"], capture_output=True, timeout=30)
            _wait(lambda: not self.says("squeue", "--noheader"), 20)
        for name in [*self.nodes, "slurmctld", "munged"]:
            self.stop(name, signal.SIGTERM)
        if FOUND_BY.is_symlink() and FOUND_BY.resolve() == self.folder:
            FOUND_BY.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Its parts

    def start_controller(self) -> None:
        self._run("slurmctld", "-f", self.conf)

    def start_node(self, node: str) -> None:
        self._run("slurmd", "-f", self.conf, "-N", node)

    def stop(self, name: str, how: signal.Signals) -> None:
        """End the controller (`slurmctld`) or the daemon of a node, and wait until it is gone."""
        file = self.folder / f"{name}.pid"
        if not file.exists():
            return
        pid = int(file.read_text())
        try:
            os.kill(pid, how)
            _wait(lambda: not _runs(pid), 15)
        except ProcessLookupError:
            pass
        file.unlink(missing_ok=True)

    @staticmethod
    def says(*command: str) -> str:
        """What one of SLURM's own programs answers."""
        done = subprocess.run(command, text=True, capture_output=True, timeout=60)
        return (done.stdout + done.stderr).strip()

    def wait_until_idle(self) -> None:
        if not _wait(lambda: set(self.says("sinfo", "-h", "-N", "-o", "%T").split()) == {"idle"}, 30):
            raise Unavailable(f"its nodes do not come up: {self.says('sinfo', '-R')}; {self._last_lines()}")

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    # How it is made

    def _configure(self) -> None:
        if other := next((path for path in (*ELSEWHERE, FOUND_BY) if path.exists()), None):
            raise Unavailable(f"{other} belongs to another cluster")
        for number in range(self.gpus):
            try:
                os.mknod(self.folder / f"gpu{number}", 0o020666, os.makedev(1, 3))
            except OSError as error:
                raise Unavailable(f"pretend GPUs are devices, and devices cannot be made here ({error})") from error
        (self.folder / "state").mkdir()
        for node in self.nodes:
            (self.folder / f"spool-{node}").mkdir()
        self.conf.write_text(self._settings())
        (self.folder / "gres.conf").write_text(
            f"AutoDetect=off\nNodeName={','.join(self.nodes)} Name=gpu Type={GPU_KIND} File={self.folder}/gpu[0-{self.gpus - 1}]\n"
        )
        FOUND_BY.parent.mkdir(exist_ok=True)
        FOUND_BY.unlink(missing_ok=True)
        FOUND_BY.symlink_to(self.folder)

    def _settings(self) -> str:
        host, nodes = socket.gethostname().split(".")[0], ",".join(self.nodes)
        controller, *ports = _free_ports(1 + len(self.nodes))
        each = "".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={self.cores} RealMemory={MEMORY_MIB} "
            f"Gres=gpu:{GPU_KIND}:{self.gpus}\n"
            for node, port in zip(self.nodes, ports, strict=True)
        )
        return f"""\
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={self.folder}/munge.socket
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool-%n
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/%n.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
SlurmctldTimeout=10
SlurmdTimeout=10
ReturnToService=2
MinJobAge=600
KillWait=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
{each}
PartitionName=main Nodes={nodes} Default=YES PriorityTier=1 State=UP
PartitionName=high Nodes={nodes} PriorityTier=10 PreemptMode=OFF State=UP
"""

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        parts = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munge.log", "seed-file": "munge.seed"}
        self._run("munged", *(f"--{option}={self.folder / file}" for option, file in parts.items()))

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(command, text=True, capture_output=True, timeout=30)
        if done.returncode:
            raise Unavailable(f"{command[0]} does not start: {done.stderr.strip()} {self._last_lines()}")

    def _last_lines(self) -> str:
        return " ".join(line for log in self.folder.glob("*.log") for line in log.read_text().splitlines()[-2:])


def install() -> None:
    """Debian's packages, if they are not there yet."""
    if os.geteuid() != 0:
        raise Unavailable("only root can start one")
    if all(shutil.which(program) for program in PROGRAMS):
        return
    if not shutil.which("apt-get"):
        raise Unavailable("SLURM is not installed, and it comes from Debian's packages")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        try:
            done = subprocess.run(["apt-get", *step], env=quiet, text=True, capture_output=True, timeout=180)
        except subprocess.TimeoutExpired:
            raise Unavailable("Debian's packages do not arrive within three minutes") from None
        if done.returncode:
            raise Unavailable(f"Debian's packages cannot be had: {done.stderr.strip().splitlines()[-1:]}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(condition, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def _runs(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    with Cluster() as cluster:
        print(cluster.says("sinfo"))
        try:
            input("a SLURM cluster runs; Enter takes it down ")
        except (KeyboardInterrupt, EOFError):
            pass
