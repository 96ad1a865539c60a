"""The detection benchmark: this engine and other tools' rules on the same simulated traffic."""
