"""Alibaba Cloud: signing, credentials and one module per service."""
