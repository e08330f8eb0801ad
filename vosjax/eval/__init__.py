"""Evaluation of a network over whole datasets: running, scoring, submissions and reports.

source, videos, rules   which videos of a dataset are run, what is given, what is scored
dataset                 runs the videos of a dataset, one worker for each device
refining                refines the finished masks of a dataset's videos
plan, engine, programs  many videos at full speed: plans, batches, compiled programs
folder, audit, leftovers, probabilities   the files of a run, and whether they are complete
fusion                  fuses runs that kept their probabilities
metrics, protocols, scoring, results      from masks to J, F and results.json
areas                   scores of small and of large objects apart
submission, report, worst_boundaries      the zip for a server, the HTML page
absence, rendered_set, sampled_set        measurements: absent objects, datasets of made clips
cluster                 the number of this process in a cluster
"""
