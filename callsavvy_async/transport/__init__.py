"""Sends requests: paces them, classifies the outcome, and retries where a retry is proved safe."""
