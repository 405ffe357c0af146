"""The shared socket loop and REST queue. What decides is sans-I/O and takes time as an argument; `runner`, `rest` and `transport` execute."""
