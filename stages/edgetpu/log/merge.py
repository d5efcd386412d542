"""What was printed and the .log file of the same compilation, made one: people publish both, one after the other."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from stages.edgetpu.log.parts import Attempt, Block, Run

Names = Tuple[str, str]
Found = Dict[Names, Tuple[Optional[str], Block]]


def merge(runs: List[Run]) -> List[Run]:
    """Move the table of a .log file into the block before it that is about the same files and has none."""
    bare: Found = {}
    for run in runs:
        for target in run.targets:
            target.attempts = [attempt for attempt in target.attempts if not _is_moved(run, attempt, bare)]
        run.targets = [target for target in run.targets if target.attempts or target.is_search]
    return [run for run in runs if not run.was_merged or run.targets]


def _is_moved(run: Run, attempt: Attempt, bare: Found) -> bool:
    """Move what can be moved; tell whether the attempt was nothing but that."""
    if not attempt.is_success:
        return False
    blocks, attempt.blocks = attempt.blocks, []
    for block in blocks:
        former = _former(run, block, bare) if block.is_file else None
        if former:
            former.take_table(block)
            run.was_merged = True
        else:
            attempt.blocks.append(block)
            names = _names(block)
            if names and not block.rows:
                bare[names] = run.version, block
    return bool(blocks) and not attempt.blocks and not attempt.words


def _former(run: Run, block: Block, bare: Found) -> Optional[Block]:
    names = _names(block)
    version, former = bare.get(names, (None, None)) if names else (None, None)
    if former is None or names is None or (version and run.version and version != run.version):
        return None
    del bare[names]
    return former


def _names(block: Block) -> Optional[Names]:
    if not block.input or not block.output:
        return None
    return block.input.rpartition("/")[2], block.output.rpartition("/")[2]
