"""A SLURM cluster on this machine: several nodes with pretend GPUs, from Debian's packages, for root on a test machine.

    python tests/cluster/toy_slurm.py        starts one, waits for Enter or Ctrl-C, takes it down again

All of it lies in one temporary folder, which SLURM's own programs find through a link in /run that goes with it. There is no
accounting database, and nothing is enforced by the kernel: it shows how jobs are scheduled, killed and requeued, not how fast.
"""

import contextlib
import fcntl
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
PREFIX = "toy-slurm-"
GPU_KIND = "toy"
MEMORY_MIB = 6000


class Unavailable(Exception):
    """Why there can be no such cluster here."""


class Cluster:
    """Nodes n1, n2, ... with `cores` and `gpus` each, all in partitions `gpu`, `cpu`, and `high`, which preempts both."""

    def __init__(self, nodes: int = 3, cores: int = 4, gpus: int = 1):
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.cores, self.gpus = cores, gpus

    def __enter__(self) -> "Cluster":
        install()
        _take_away_what_a_killed_run_left()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.folder.chmod(0o755)
        self.lock = (self.folder / "lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
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
        _take_down(self.folder)

    # Its parts

    def start_controller(self) -> None:
        self._run("slurmctld", "-f", self.conf)

    def start_node(self, node: str) -> None:
        self._run("slurmd", "-f", self.conf, "-N", node)

    def stop(self, name: str, how: signal.Signals) -> None:
        """End the controller (`slurmctld`) or the daemon of a node, and wait until it is gone."""
        _end(self.folder / f"{name}.pid", how)

    def wait_until_idle(self) -> None:
        if not _wait(lambda: set(says("sinfo", "-h", "-N", "-o", "%T").split()) == {"idle"}, 120):
            raise Unavailable(f"its nodes do not come up: {says('sinfo', '-R')}; {self._last_lines()}")

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
MinJobAge=7200
KillWait=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
{each}
PartitionName=gpu Nodes={nodes} Default=YES PriorityTier=1 State=UP
PartitionName=cpu Nodes={nodes} PriorityTier=1 State=UP
PartitionName=high Nodes={nodes} PriorityTier=10 PreemptMode=OFF State=UP
"""

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {"key": "munge.key", "pid": "munged.pid", "log": "munge.log", "seed": "munge.seed"}
        options = [f"--{kind}-file={self.folder / name}" for kind, name in files.items()]
        self._run("munged", f"--socket={self.folder}/munge.socket", *options)

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(command, text=True, capture_output=True, timeout=120)
        if done.returncode:
            raise Unavailable(f"{command[0]} does not start: {done.stderr.strip()} {self._last_lines()}")

    def _last_lines(self) -> str:
        return " ".join(line for log in self.folder.glob("*.log") for line in log.read_text().splitlines()[-2:])


def says(*command: str) -> str:
    """What one of SLURM's own programs answers."""
    done = subprocess.run(command, text=True, capture_output=True, timeout=120)
    return (done.stdout + done.stderr).strip()


def _take_away_what_a_killed_run_left() -> None:
    if not (FOUND_BY.is_symlink() and FOUND_BY.resolve().name.startswith(PREFIX)):
        return
    folder = FOUND_BY.resolve()
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _take_down(folder)
    except FileNotFoundError:
        FOUND_BY.unlink()
    except BlockingIOError:
        raise Unavailable("another one is in use on this machine") from None


def _take_down(folder: Path) -> None:
    """Jobs first, then nodes, controller and the rest."""
    if (folder / "slurmctld.pid").exists():
        says("scancel", "--signal=KILL", "--user=root")
        says("scancel", "--user=root")
        _wait(lambda: not says("squeue", "--noheader"), 20)
    last = "slurmctld.pid", "munged.pid"
    nodes = [file for file in folder.glob("*.pid") if file.name not in last]
    for file in (*nodes, *(folder / name for name in last)):
        _end(file, signal.SIGTERM)
    for pid in _left_of_jobs(folder):
        os.kill(pid, signal.SIGKILL)
    if FOUND_BY.is_symlink() and FOUND_BY.resolve() == folder:
        FOUND_BY.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _left_of_jobs(folder: Path) -> list[int]:
    """Processes of jobs whose node was taken from under them; SLURM has told them its configuration."""
    left = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"SLURM_CONF={folder}/".encode() in environment.read_bytes():
                left.append(int(environment.parent.name))
        except OSError:  # it has just ended
            continue
    return left


def _end(file: Path, how: signal.Signals) -> None:
    """End the process whose number is in `file`, and wait until it is gone."""
    if not file.exists():
        return
    pid = int(file.read_text())
    if _runs(pid, file.parent):
        os.kill(pid, how)
        _wait(lambda: not _runs(pid, file.parent), 15)
    file.unlink(missing_ok=True)


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


def _runs(pid: int, folder: Path) -> bool:
    """Whether that process is there, and still the one that was started with a file in `folder`."""
    try:
        return str(folder) in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


if __name__ == "__main__":
    with Cluster():
        print(says("sinfo"))
        with contextlib.suppress(KeyboardInterrupt, EOFError):
            input("a SLURM cluster runs; Enter takes it down ")
