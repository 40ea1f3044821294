"""Credit Φ: how much of what followed is put down to each action. One formula, one file."""
