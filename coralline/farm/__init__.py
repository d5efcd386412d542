"""Steps made on other machines: ready steps go to a dask.distributed client, the store is on a shared file system.

    entry.py     this process goes on in the environment that has distributed
    machine.py   what a machine offers and is; node.py, task.py: a worker, and what it does with one step
    project.py   whether front and worker run the same code
    roster.py    who works; hands.py: the pool that steps are handed to
    queues.py    workers from a batch system, as many as there are ready steps

`distributed` is imported by functions only: everything else can be read without it. Nothing here decides what is made
again, that is `plan.py`; nor on which machine, that is Dask's scheduler, but for steps that wait where they need not.
"""
