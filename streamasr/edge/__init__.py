"""The edge ring: engines, devices, files and the network around the core."""
