"""The training toolkit: manifests in, a model bundle out. Needs the extra ``train``."""
