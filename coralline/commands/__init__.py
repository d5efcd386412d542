"""What each task does once its words are read: calls the rooms in order and prints the answer.

Every user error ends here with its own exit code; a bug keeps its traceback.
"""
