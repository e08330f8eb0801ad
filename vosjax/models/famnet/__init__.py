"""FAMNet, a reconstruction; without its additions it is STM (Oh et al., ICCV 2019)."""
