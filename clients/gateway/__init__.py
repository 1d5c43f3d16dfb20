"""The courier's own endpoint: its systems post scans to loopback, and its key signs them here, in its own house.

It is small on purpose and uses the standard library's server: what signs with a key should be read in one sitting.
"""
