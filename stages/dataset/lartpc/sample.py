"""One event as Python sees it: an image and a dictionary of true values, from (seed, split, index).

Nothing is written here; `folders` makes folders of events.
"""

from __future__ import annotations

import json
from typing import Dict, List, Tuple, Union

import numpy as np
import numpy.typing as npt

from stages.dataset.lartpc import event, neutrino, origin
from stages.dataset.lartpc.config import Config, GeneratorError
from stages.dataset.lartpc.rng import SPLIT_CODE, event_state
from stages.dataset.lartpc.stack import CAPACITY, COLUMNS, KIND, KINETIC, PRIMARIES
from stages.dataset.lartpc.tables import ELECTRON, MASS, MU_MINUS, NEUTRON, PDG, PI_MINUS, PI_PLUS, PI_ZERO, PROTON

Truth = Dict[str, Union[int, float, str]]

#: Class names in the order of their labels.
CLASSES = ("cc_numu", "cc_nue", "nc")
#: index = label x CLASS_STRIDE + number.
CLASS_STRIDE = 10_000_000

#: Columns of the metadata table, in order (specification 2.3, and `overflow`, see 7.8).
COLUMN_NAMES = (
    "id", "split", "class", "label", "number", "index",
    "e_nu", "mode", "q2", "w", "y", "e_lep", "cos_lep", "target",
    "vx", "vy", "vz", "lepton_path_cm", "hadron_path_cm",
    "npix_u", "npix_v", "npix_w", "q_u", "q_v", "q_w",
    "redraws", "n_p50", "n_n", "n_pip", "n_pim", "n_pi0", "overflow", "particles",
)  # fmt: skip


class Workspace:
    """Arrays reused from event to event: they hold nothing that a later event can see."""

    def __init__(self, size: int, *, traced: bool = False) -> None:
        """Allocate for images of `size` px; `traced` with room for what left each pixel's charge."""
        self.stack = np.empty((CAPACITY, COLUMNS))
        self.leaving = np.empty((PRIMARIES, COLUMNS))
        self.charge = np.empty((origin.PLANES if traced else origin.VIEWS, size, size))
        self.truth = np.empty(event.TRUTH)

    def mask(self, image: npt.NDArray[np.uint8], view: int) -> npt.NDArray[np.uint8]:
        """Return what left each pixel of a view of the last event, whose image this is; only where that was traced."""
        return origin.mask(self.charge, image, view)


def event_id(split: str, name: str, number: int) -> str:
    """Return the name of an event, for example `train_cc_nue_0000017`."""
    return f"{split}_{name}_{number:07d}"


def check_split(split: str) -> None:
    """Raise unless `split` is known."""
    if split not in SPLIT_CODE:
        raise GeneratorError(f"split {split!r}: expected one of {', '.join(SPLIT_CODE)}")


def simulate(
    seed: int, split: str, index: int, config: Config, workspace: Union[Workspace, None] = None
) -> Tuple[npt.NDArray[np.uint8], Truth]:
    """Return the image (uint8, size x size x 3, C-contiguous) and the true values of one event.

    The event depends on the arguments only; `workspace` merely saves the allocation of arrays.

    Raises:
        GeneratorError: an argument is out of range, or no event can pass `min_pix`.
    """
    check_split(split)
    if seed < 0:
        raise GeneratorError(f"seed = {seed!r}: expected a whole number, 0 or more")
    label, number = divmod(index, CLASS_STRIDE)
    if not 0 <= label < len(CLASSES):
        raise GeneratorError(f"index = {index!r}: expected 0 to {len(CLASSES) * CLASS_STRIDE - 1}")
    work = workspace if workspace is not None else Workspace(config.size)
    image = np.zeros((config.size, config.size, 3), dtype=np.uint8)
    is_made = event.make_event(
        event_state(seed, split, index),
        label,
        config.settings(),
        work.stack,
        work.leaving,
        work.charge,
        image,
        work.truth,
    )
    if not is_made:
        raise GeneratorError(
            f"min_pix = {config.min_pix}: {event.MOST_REDRAWS} draws of {event_id(split, CLASSES[label], number)} "
            "had fewer pixels above thr in some view; lower min_pix or thr"
        )
    return image, _describe(split, label, number, work)


def _describe(split: str, label: int, number: int, work: Workspace) -> Truth:
    """Return the true values of the event in `work`, in the order of COLUMN_NAMES."""
    t = work.truth
    leaving = work.leaving[: int(t[event.LEAVING])]
    kinds = leaving[:, KIND].astype(int)
    lepton_path = float(t[event.LEPTON_PATH])
    name = CLASSES[label]
    values: List[Union[int, float, str]] = [
        event_id(split, name, number),
        split,
        name,
        label,
        number,
        label * CLASS_STRIDE + number,
        float(t[event.E_NU]),
        neutrino.MODES[int(t[event.MODE])],
        float(t[neutrino.Q2]),
        float(t[neutrino.W]),
        float(t[neutrino.Y]),
        float(t[neutrino.E_LEP]),
        float(t[neutrino.COS_LEP]),
        int(t[neutrino.TARGET]),
        *(float(t[place]) for place in (event.VX, event.VY, event.VZ)),
        lepton_path,
        float(t[event.HADRON_PATH]),
        *(int(value) for value in t[event.NPIX : event.NPIX + 3]),
        *(float(value) for value in t[event.CHARGE : event.CHARGE + 3]),
        int(t[event.REDRAWS]),
        int(np.count_nonzero((kinds == PROTON) & (leaving[:, KINETIC] > 50.0))),
        *(int(np.count_nonzero(kinds == kind)) for kind in (NEUTRON, PI_PLUS, PI_MINUS, PI_ZERO)),
        int(t[event.OVERFLOW]),
        json.dumps(_particles(label, work), separators=(",", ":")),
    ]
    return dict(zip(COLUMN_NAMES, values))


def _particles(label: int, work: Workspace) -> List[List[Union[int, float]]]:
    """Return [pdg, kinetic energy MeV, dx, dy, dz] of what leaves the nucleus and the charged lepton."""
    t = work.truth
    rows = [
        [PDG[int(row[KIND])], *(_short(value) for value in (row[KINETIC], *row[6:9]))]
        for row in work.leaving[: int(t[event.LEAVING])]
    ]
    if label != neutrino.NC:
        kind = MU_MINUS if label == neutrino.CC_NUMU else ELECTRON
        kinetic = max(0.0, float(t[neutrino.E_LEP]) * 1e3 - float(MASS[kind]))
        direction = t[neutrino.LEP_X : neutrino.LEP_Z + 1]
        rows.append([PDG[kind], *(_short(value) for value in (kinetic, *direction))])
    return rows


def _short(value: float) -> float:
    """Round to six significant digits: the list is for reading, and most of the table's size."""
    return float(f"{value:.6g}")
