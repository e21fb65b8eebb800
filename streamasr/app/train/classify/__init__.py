"""Words from fixed windows of sound: five small networks, from recipe to model folder."""
