"""Endpoint adapters, one package a provider."""
