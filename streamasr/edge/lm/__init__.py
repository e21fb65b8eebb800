"""What a language model is at run time: read, compiled into a search graph, and kept."""
