"""How accurate the analysis is, on real recordings, by the rules of ec57.py; see docs/accuracy.md."""
