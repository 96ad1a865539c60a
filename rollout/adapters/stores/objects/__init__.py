"""Journals as objects: Azure Blob Storage, Amazon S3, Google Cloud Storage."""
