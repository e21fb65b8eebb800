"""The core ring: audio in, events out. No asyncio, files, sockets, devices or clock."""
