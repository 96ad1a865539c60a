"""Sources of measurements that belong to no provider of endpoints."""
