"""Which data set a text such as `oops:PATH` means."""

from __future__ import annotations

from pathlib import Path

from streamspike.bench.datasets import frame_pairs, funqa, gmdcsa24, labelled_folder, oops, ped2, spliced, upcam
from streamspike.bench.datasets.disk import StoredDataset
from streamspike.bench.footage import Dataset
from streamspike.errors import DatasetError

STORED = {
    labelled_folder.NAME: (labelled_folder.GUIDE, labelled_folder.read_folder),
    oops.NAME: (oops.GUIDE, oops.read_oops),
    funqa.NAME: (funqa.GUIDE, funqa.read_funqa),
    frame_pairs.UCF_CRIME: (frame_pairs.UCF_CRIME_GUIDE, frame_pairs.read_ucf_crime),
    frame_pairs.XD_VIOLENCE: (frame_pairs.XD_VIOLENCE_GUIDE, frame_pairs.read_xd_violence),
    ped2.NAME: (ped2.GUIDE, ped2.read_ped2),
    upcam.NAME: (upcam.GUIDE, upcam.read_upcam),
    gmdcsa24.NAME: (gmdcsa24.GUIDE, gmdcsa24.read_gmdcsa24),
}
"""Name to guide and reader."""


def open_dataset(spec: str) -> Dataset:
    """The data set that `spec` names.

    Args:
        spec: `world`, `world?clips=500&seed=0&scene=street`, `folder:PATH` or the path of a folder with a labels.csv,
            `spliced:EVENTS?hours=HOURS`, or `oops:`, `funqa:`, `ucf-crime:`, `xd-violence:`, `ped2:`, `upcam:`,
            `gmdcsa24:` and the path where that data set lies.

    Raises:
        DatasetError: no such data set, or a setting it does not have. A missing folder is told by `footage`.
    """
    spec = spec.strip()
    scheme, colon, rest = spec.partition(":")
    name, _, query = spec.partition("?")
    if name.rstrip(":") == "world":
        from streamspike.bench.datasets.world import parse_world_dataset  # loads OpenCV's drawing

        return parse_world_dataset(query)
    if colon and scheme == spliced.NAME:
        return spliced.parse_spliced(rest)
    if colon and scheme in STORED:
        if not rest:
            raise DatasetError(f"say where {scheme} lies: {scheme}:PATH; {STORED[scheme][0]}")
        return _stored(scheme, rest)
    if spec and Path(spec).expanduser().is_dir():
        return _stored(labelled_folder.NAME, spec)
    known = ", ".join(f"{name}:PATH" for name in (*STORED, spliced.NAME))
    raise DatasetError(f"there is no data set or folder {spec!r}; there are world, world?clips=500&seed=0, {known}")


def _stored(name: str, path: str) -> StoredDataset:
    guide, read = STORED[name]
    return StoredDataset(name, Path(path).expanduser(), guide, read)
