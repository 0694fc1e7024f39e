"""The time machine: a history lived through again in this process, by the code of worker and learner."""
