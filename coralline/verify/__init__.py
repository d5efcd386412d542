"""Whether a run can be made again: each step, given the same inputs, makes the same artifact, or what differs.

verdict      what can be said of an artifact, which level of the promise it proves, and the exit code
normal       what may differ between two makings of the same, and why: a table
levels       which level each stage belongs to: a table
again        a recorded request, read back
subject      what is verified: a run, its graph, its artifacts
userdata     which of the user's data changed since
replan       what is made again, and what differs before it is
rebuild      making the artifacts again in a fresh store
cause        the first input that differs
compare      two artifacts, byte for byte and else by the table
judge        a verdict on each artifact, in the order of the graph
latency, proportions   when two measurements count as equal
examine      the whole way, from a run to its verification
"""
