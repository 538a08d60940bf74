"""People who work at the box: who they are, how they sign in, who is signed in. Rights are in model/permissions.py.

Whoever is signed in is known without asking a file or a hash, so that nothing at the bed waits for either; box.db keeps it.
"""
