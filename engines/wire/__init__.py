"""From the bytes of a frame to integer ticks, integer lots and the sequence header, with no object per level."""
