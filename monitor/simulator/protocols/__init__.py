"""One simulated venue a module: `<venue>` speaks (paths, acks, limits), `<venue>_frames` writes frames and REST bodies."""
