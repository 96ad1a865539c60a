"""Azure ML online endpoints, managed and Kubernetes, through Azure's own SDK."""
