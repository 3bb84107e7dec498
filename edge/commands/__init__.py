"""The verbs of `tidegate-edge`, one file each; each is imported only when it is called."""
