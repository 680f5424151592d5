"""The instructor's tools: notebooks from text, the leak gate, the public release."""
