"""The way of a call to the API and back: paced, tried, judged, repeated where that is proved safe."""
