"""What the OpenAPI document says of answers: their shapes, an example of each, and of each request.

A test sends every example to a running service and compares what comes back with the shapes, field by field.
"""
