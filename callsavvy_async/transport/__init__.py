"""The way of a request to the API and back: paced, tried, judged, repeated where that is proved safe."""
