"""What is said as written text: marks, commands, numbers, and the way into a window."""
