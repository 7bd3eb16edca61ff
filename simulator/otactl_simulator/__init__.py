"""Simulates AWS IoT Wireless, AWS IoT Core, AWS Signer and Tuya over HTTP, beside moto for S3, IAM and STS.

`app` is the ASGI application; each service is one folder. Tests, the demo and rehearsals use it on loopback.
"""
