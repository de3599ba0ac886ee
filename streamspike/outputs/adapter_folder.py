"""The folder of adapters: each in a folder of its own name, there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from streamspike.config import RefineConfig, StoreConfig
from streamspike.errors import StoreError

FILES = ("adapter.json", "adapter_config.json", "adapter_model.safetensors")
"""What an adapter consists of; nothing else is copied."""
PARTIAL = ".partial-"
SWEPT_SECONDS = 3600.0


def adapters_folder(refine: RefineConfig, store: StoreConfig) -> Path:
    """Where the adapters of a store lie."""
    return Path(refine.folder).expanduser() if refine.folder is not None else Path(store.path).parent / "adapters"


def install_adapter(source: Path, folder: Path, name: str) -> Path:
    """Copy an adapter into the folder of adapters, under its name. It appears by one rename, after its files are on the
    disk; a folder of that name that is there already makes room by another one.

    Call it only for a name that the registry does not serve. Returns its path.

    Raises:
        StoreError: it cannot be written.
    """
    target = folder / name
    if source.resolve() == target.resolve():
        return target
    partial = folder / f"{PARTIAL}{name}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for file_name in FILES:
            shutil.copyfile(source / file_name, partial / file_name)
            _sync(partial / file_name)
        _sync(partial)
        if target.exists():
            os.rename(target, partial / "before")
        os.rename(partial, target)
        _sync(folder)
        shutil.rmtree(target / "before", ignore_errors=True)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise StoreError(f"cannot write the adapter {target}: {error.strerror}") from error
    return target


def sweep(folder: Path, older_than_seconds: float = SWEPT_SECONDS) -> None:
    """Remove what a killed `install_adapter` left behind; not what another process is about to finish."""
    for partial in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(FileNotFoundError):  # it was finished at this very moment
            if time.time() - partial.stat().st_mtime >= older_than_seconds:
                shutil.rmtree(partial, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
