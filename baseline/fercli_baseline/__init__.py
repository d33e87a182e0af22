"""Trained weights for fercli, in the folder baseline/ of this package; nothing here is executed."""
