"""DeAOT: AOT with separate streams for appearance and identity, by gated propagation."""
