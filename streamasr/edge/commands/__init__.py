"""Voice commands at the edge: the file of sentences, and what is done with what was understood."""
