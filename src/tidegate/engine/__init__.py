"""Load, decide, save, act: the thin shell around the decisions of model/."""
