"""FAMNet, a reconstruction, and STM (Oh et al., ICCV 2019), which it is without its additions."""
