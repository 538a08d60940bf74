"""Contracts: every message that the box sends or takes, and what it looks like on the wire.

A message is named `<service>.<name>/<major>`; its model is in the folder of its service and version. The models are the
source: JSON Schemas, the OpenAPI and the AsyncAPI document in docs/contracts/ are made from them. What we send is checked
strictly (`registry.said`), what we take is read tolerantly (`registry.heard`): a field that is not known is ignored, a
word that is not known is kept as text. Nothing here does I/O or reads a clock.
"""
