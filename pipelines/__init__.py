"""The work: pure steps on columns and frames, and the functions that join them."""
