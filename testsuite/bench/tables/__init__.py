"""Tables of figures beside what was asked; `native.py` runs them."""
