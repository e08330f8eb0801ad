"""What tests share: a toy network, drawn clips, small datasets, goldens, the command line."""
