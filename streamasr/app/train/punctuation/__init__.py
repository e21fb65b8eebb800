"""Training of the model that sets marks and capitals."""
