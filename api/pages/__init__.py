"""The buyer's pages: rendered on the server, Korean and English, whole without JavaScript."""
