"""Programs of the parties: seller, courier, yard, officer, identity check, screening; and the sample day.

Start with `writer.py` and `courier.py`. `cli/` holds the composition roots and alone may import everything.
"""
