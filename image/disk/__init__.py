"""The image that a box boots from: tree, disk, bundle. docs/image.md says what is where."""
