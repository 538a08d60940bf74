"""The rules of the interpretation, a file for each part of the heart: from what was measured to statements with criteria."""
