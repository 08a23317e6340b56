"""The rule by which a train's release passes only in its turn."""

from __future__ import annotations

from tidegate.model.gate import RuleVerdict, opens, waits
from tidegate.model.train import TrainSign

TRAIN_RULE = "train"


def train(sign: TrainSign) -> RuleVerdict:
    """It opens when the train has left with this release, and its turn has come."""
    return opens(TRAIN_RULE, sign.text) if sign.is_turn else waits(TRAIN_RULE, sign.text, sign.remedy)
