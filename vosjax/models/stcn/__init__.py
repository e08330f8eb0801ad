"""STCN: space-time correspondence networks (Cheng et al., NeurIPS 2021)."""
