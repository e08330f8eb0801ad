"""Compiles for machines that are not there, and reads from the compiled program what it costs.

compiler  the devices of a machine that is not there, and a program compiled for them
convolution  operations of a convolution
hlo       the text of an optimised program as instructions
peaks     the peak of products that makers state, by the name of a device
roofline  how fast a program can be at best, from a machine's peak figures
targets   the machines: their peak figures and their memory
traffic   operations and bytes of every fusion, with its named scope
trips     how often a loop runs
"""
