"""Evidence packs: what an auditor is given of the record, and can verify alone."""
