"""GitOps for firmware: rollouts declared as manifests, driven to their declared state by a reconcile loop."""

__version__ = "0.1.0"
