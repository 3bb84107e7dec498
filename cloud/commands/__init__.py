"""The verbs of `tidegate-cloud`, one file each; each is imported only when it is called."""
