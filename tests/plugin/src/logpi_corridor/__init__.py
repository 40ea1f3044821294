"""An extension of logpi: a corridor to walk through, and advantage-weighted regression."""
